import { untilAborted, withDeadline } from '@headrace/runtime'
import { messageBytes, type OutgoingMessage, PublishError } from '@headrace/transport'
import type { BatchProducer } from './batch-producer.ts'
import { abandon, batchProducer } from './clients.ts'
import { publishFailure, unavailable } from './failures.ts'
import type { KafkaSettings } from './options.ts'
import { produced } from './records.ts'
import { SharedRequests } from './shared-requests.ts'
import type { Topics } from './topics.ts'

/** Most bytes of one request: with what a record adds to a message, below what brokers take (1 MiB). */
const requestBytes = 960_000
/** What headers of ours and a record's frame add to a message at most, near enough. */
const overheadBytes = 400

/**
 * Publishes with sequence numbers, so that what the client repeats by itself is written once and in order. A publish
 * that missed its deadline may still be under way; its producer is abandoned with all that it repeats.
 */
export class Publisher {
  readonly #settings: KafkaSettings
  readonly #topics: Topics
  readonly #stopping = new AbortController()
  #sending: { readonly producer: BatchProducer; readonly requests: SharedRequests } | undefined

  constructor(settings: KafkaSettings, topics: Topics) {
    this.#settings = settings
    this.#topics = topics
  }

  /** As `Transport.publish`. */
  async publish(topic: string, partition: number, messages: readonly OutgoingMessage[]): Promise<void> {
    this.#requireSize(messages)
    const deadline = performance.now() + this.#settings.publishDeadlineMs
    await this.#requirePlace(topic, partition)
    let wentBefore = false
    for (const part of requestsOf(messages)) {
      try {
        await this.#send(topic, partition, part, deadline - performance.now())
      } catch (error) {
        this.#topics.forget(topic)
        throw error instanceof PublishError ? error : publishFailure(topic, error, wentBefore)
      }
      wentBefore = true
    }
  }

  /** Cuts off what is under way, as unknown. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    const sending = this.#sending
    this.#sending = undefined
    if (sending !== undefined) await abandon(sending.producer)
  }

  async #requirePlace(topic: string, partition: number): Promise<void> {
    const { publishDeadlineMs } = this.#settings
    const { signal } = this.#stopping
    try {
      const late = () => new Error(`no answer within ${publishDeadlineMs} ms`)
      const found = await withDeadline(untilAborted(this.#topics.get(topic), signal), publishDeadlineMs, late)
      if (found === undefined) throw new Error('the carrier has stopped')
      const { leaders } = found
      if (partition >= leaders.length) throw new Error(`${topic} has ${leaders.length} partitions, none ${partition}`)
    } catch (error) {
      const { message } = unavailable(`publishing to ${topic}`, error)
      throw new PublishError('refused', message, { cause: error, code: 'QUEUE_UNAVAILABLE' })
    }
  }

  async #send(topic: string, partition: number, part: readonly OutgoingMessage[], leftMs: number): Promise<void> {
    this.#sending ??= sendingWith(batchProducer(this.#settings))
    const { producer, requests } = this.#sending
    const late = () => {
      if (this.#sending?.producer === producer) this.#sending = undefined
      void abandon(producer)
      const text = `publishing to ${topic}/${partition}: no answer within ${this.#settings.publishDeadlineMs} ms`
      return new PublishError('unknown', text)
    }
    const sent = requests.send(produced(part, { topic, partition })).then(() => true)
    const sending = untilAborted(sent, this.#stopping.signal)
    const isConfirmed = (await withDeadline(sending, Math.max(leftMs, 1), late)) !== undefined
    if (!isConfirmed) throw new PublishError('unknown', `publishing to ${topic}/${partition}: cut off by the stop`)
  }

  #requireSize(messages: readonly OutgoingMessage[]): void {
    const limit = this.#settings.messageLimitBytes
    for (const message of messages) {
      const bytes = messageBytes(message)
      if (bytes <= limit) continue
      const text = `message ${message.id} has ${bytes} bytes, over the limit of ${limit}`
      throw new PublishError('refused', text, { code: 'MESSAGE_TOO_LARGE' })
    }
  }
}

function sendingWith(producer: BatchProducer) {
  return { producer, requests: new SharedRequests((messages) => producer.send({ messages })) }
}

/** Divides messages into requests, in order. */
function requestsOf(messages: readonly OutgoingMessage[]): OutgoingMessage[][] {
  const requests: OutgoingMessage[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const message of messages) {
    const own = messageBytes(message) + overheadBytes
    if (bytes + own > requestBytes) {
      requests.push([])
      bytes = 0
    }
    bytes += own
    requests.at(-1)?.push(message)
  }
  return requests
}
