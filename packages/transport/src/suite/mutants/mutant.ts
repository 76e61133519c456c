import type { CarriedMessage } from '../../message.ts'
import type { Batch, OutgoingMessage, ReadFrom, ReadOptions, Transport } from '../../transport.ts'

/** A carrier broken in one way, and the promises that must notice. */
export interface Mutant {
  readonly name: string
  /** Names of promises. */
  readonly killedBy: readonly string[]
  /** Begins anew for each proof: what it returns breaks every user of one carrier. */
  breaking(): (user: Transport) => Transport
}

export interface ReadPlace {
  readonly topic: string
  readonly partition: number
  readonly from: ReadFrom
  readonly options: ReadOptions
}

/** A user that does all as the given one, but for these changes. */
export function changed(user: Transport, changes: Partial<Transport>): Transport {
  return {
    name: user.name,
    durability: user.durability,
    isLog: user.isLog,
    partitions: (topic) => user.partitions(topic),
    publish: (topic, partition, messages) => user.publish(topic, partition, messages),
    held: (topic, partition) => user.held(topic, partition),
    read: (topic, partition, from, options) => user.read(topic, partition, from, options),
    passed: (group, topic, partition, next) => user.passed?.(group, topic, partition, next),
    probe: (signal) => user.probe(signal),
    stop: () => user.stop(),
    [Symbol.asyncDispose]() {
      return this.stop()
    },
    ...changes,
  }
}

/** Changes reading; `read` asks the user as it was. */
export function changedRead(
  user: Transport,
  change: (read: (place: ReadPlace) => AsyncIterable<Batch>, place: ReadPlace) => AsyncIterable<Batch>,
): Transport {
  const read = ({ topic, partition, from, options }: ReadPlace) => user.read(topic, partition, from, options)
  return changed(user, {
    read: (topic, partition, from, options) => change(read, { topic, partition, from, options }),
  })
}

/** Changes every batch that is read. */
export function changedBatches(user: Transport, change: (batch: Batch) => Batch): Transport {
  return changedRead(user, async function* (read, place) {
    for await (const batch of read(place)) yield change(batch)
  })
}

/** Changes every message that is read; `number` counts those of one read from 1. */
export function changedMessages(
  user: Transport,
  change: (message: CarriedMessage, number: number) => CarriedMessage | readonly CarriedMessage[],
): Transport {
  return changedRead(user, async function* (read, place) {
    let number = 0
    for await (const batch of read(place)) {
      const messages = batch.messages.flatMap((message) => {
        number += 1
        return change(message, number)
      })
      if (messages.length > 0) yield { ...batch, messages }
    }
  })
}

/** Changes what is published. */
export function changedPublish(
  user: Transport,
  change: (
    publish: (partition: number, messages: readonly OutgoingMessage[]) => Promise<void>,
    partition: number,
    messages: readonly OutgoingMessage[],
  ) => Promise<void>,
): Transport {
  return changed(user, {
    publish: (topic, partition, messages) => change((at, part) => user.publish(topic, at, part), partition, messages),
  })
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
