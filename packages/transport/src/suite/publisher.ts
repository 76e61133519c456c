import { logPartitions, type Message, partitionOf } from '../message.ts'
import type { OutgoingMessage, Transport } from '../transport.ts'

/** Publishes as a relay or an ingest does: in order, one call at a time for each partition of the carrier. */
export interface Publisher {
  /** Resolves when all messages are confirmed; rejects with the first failure. */
  put(messages: readonly Message[]): Promise<void>
}

export interface PublisherOptions {
  readonly topic: string
  /** The log that messages are said to come from; without it they are a foreign producer's. */
  readonly log?: string
}

/** Appends to a log, one call after the other: appends side by side have no order. */
export function appending(append: (messages: readonly Message[]) => Promise<void>): Publisher {
  let tail: Promise<void> = Promise.resolve()
  return {
    put(messages) {
      const turn = tail.then(() => append(messages))
      tail = turn.catch(() => undefined)
      return turn
    },
  }
}

/** Publishes to several carriers, as their relays do together. */
export function toAll(publishers: readonly Publisher[]): Publisher {
  return {
    async put(messages) {
      await Promise.all(publishers.map((publisher) => publisher.put(messages)))
    },
  }
}

/** Publishes each key to one of several carriers, as a producer elsewhere does that knows only that one. */
export function toOneByKey(publishers: readonly Publisher[]): Publisher {
  return {
    async put(messages) {
      const parts = Map.groupBy(messages, ({ key }) => partitionOf(key, publishers.length))
      await Promise.all([...parts].map(([at, part]) => publishers[at]?.put(part)))
    },
  }
}

export async function publisherOn(carrier: Transport, { topic, log }: PublisherOptions): Promise<Publisher> {
  const partitions = await carrier.partitions(topic)
  const tails = new Map<number, Promise<void>>()
  const offsets = new Map<number, number>()

  function withOrigin(message: Message): OutgoingMessage {
    if (log === undefined) return message
    const partition = partitionOf(message.key)
    const offset = (offsets.get(partition) ?? 0) + 1
    offsets.set(partition, offset)
    return { ...message, origin: { log, partition, offset } }
  }

  function publish(partition: number, messages: readonly OutgoingMessage[]): Promise<void> {
    const turn = (tails.get(partition) ?? Promise.resolve()).then(() => carrier.publish(topic, partition, messages))
    tails.set(
      partition,
      turn.catch(() => undefined),
    )
    return turn
  }

  return {
    async put(messages) {
      const parts = Map.groupBy(messages, ({ key }) => partitionOf(key, logPartitions) % partitions)
      await Promise.all([...parts].map(([partition, part]) => publish(partition, part.map(withOrigin))))
    },
  }
}
