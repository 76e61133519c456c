import { messageOf, PlatformError, untilAborted } from '@headrace/runtime'
import {
  type Batch,
  type Durability,
  type Held,
  logPartitions,
  messageBytes,
  type OutgoingMessage,
  PublishError,
  type ReadFrom,
  type ReadOptions,
  readDefaults,
  type Transport,
} from '@headrace/transport'
import { encoded } from './message.ts'
import { type NatsOptions, type NatsSettings, natsSettings } from './options.ts'
import { type EncodedMessage, NobodyListens, publication } from './publication.ts'
import { readStream } from './reading.ts'
import { type Session, Sessions } from './session.ts'
import { declareStream, heldIn, presentIncarnation, requireTopic, subjectOf } from './streams.ts'

/**
 * Carries messages in JetStream: a stream for each topic, 16 partitions on subjects of their own, positions are the
 * stream's. Connects when it is first used, and again whenever the connection was lost. Throws `RangeError` that names
 * the option which is wrong.
 */
export function natsTransport(options: NatsOptions): Transport {
  return new Nats(natsSettings(options))
}

/** How long a stop waits for publishes under way, in ms. */
const stopGraceMs = 1_000

class Nats implements Transport {
  readonly name = 'nats'
  readonly durability: Durability
  readonly isLog = false
  readonly #settings: NatsSettings
  readonly #sessions: Sessions
  readonly #stopping = new AbortController()
  readonly #publishing = new Set<Promise<void>>()

  constructor(settings: NatsSettings) {
    this.#settings = settings
    this.#sessions = new Sessions(settings)
    this.durability = settings.replicas >= 3 ? 'replicated' : 'disk'
  }

  async partitions(topic: string): Promise<number> {
    requireTopic(topic)
    return logPartitions
  }

  async publish(topic: string, partition: number, messages: readonly OutgoingMessage[]): Promise<void> {
    requirePlace(topic, partition)
    if (this.#stopping.signal.aborted) throw refused(new Error('the NATS carrier has stopped'))
    if (messages.length === 0) return
    const publishing = this.#publish(topic, partition, messages)
    const settled = publishing.catch(() => undefined)
    this.#publishing.add(settled)
    try {
      await publishing
    } finally {
      this.#publishing.delete(settled)
    }
  }

  read(topic: string, partition: number, from: ReadFrom, options: ReadOptions): AsyncIterable<Batch> {
    requirePlace(topic, partition)
    const signal = AbortSignal.any([options.signal, this.#stopping.signal])
    const { maxMessages = readDefaults.maxMessages, maxBytes = readDefaults.maxBytes } = options
    const needs = { sessions: this.#sessions, settings: this.#settings, topic, partition }
    return readStream(needs, from, { maxMessages, maxBytes, signal })
  }

  async incarnationOf(topic: string): Promise<string> {
    requireTopic(topic)
    const session = await this.#ready(topic)
    return presentIncarnation(session, topic)
  }

  async held(topic: string, partition: number): Promise<Held> {
    requirePlace(topic, partition)
    return heldIn(await this.#ready(topic), topic, partition)
  }

  async probe(signal: AbortSignal): Promise<void> {
    const answer = await untilAborted(this.#serves(), signal)
    if (answer === undefined) throw new PlatformError('QUEUE_UNAVAILABLE', 'JetStream does not answer in time')
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await untilAborted(Promise.all(this.#publishing), AbortSignal.timeout(stopGraceMs))
    // Ends what is still under way, as unknown.
    await this.#sessions.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #serves(): Promise<true> {
    const { manager } = await this.#sessions.current()
    try {
      await manager.getAccountInfo()
      return true
    } catch (error) {
      throw new PlatformError('QUEUE_UNAVAILABLE', `JetStream does not serve: ${messageOf(error)}`, { cause: error })
    }
  }

  async #publish(topic: string, partition: number, messages: readonly OutgoingMessage[]): Promise<void> {
    this.#requireSize(messages)
    const ready = messages.map((message) => encoded(topic, message))
    const session = await this.#ready(topic)
    requirePayload(session, messages, ready)
    const needs = { session, subject: subjectOf(topic, partition), timeoutMs: this.#settings.timeoutMs }
    try {
      await publication(needs, ready)
    } catch (error) {
      if (!(error instanceof NobodyListens)) throw error
      // The stream was deleted since it was last seen, and nothing was taken.
      session.declared.delete(topic)
      const again = await this.#ready(topic)
      await publication({ ...needs, session: again }, ready).catch((second) => {
        throw second instanceof NobodyListens ? refused(second) : second
      })
    }
  }

  /** A connection through which the topic's stream was seen or made. */
  async #ready(topic: string): Promise<Session> {
    try {
      const session = await this.#sessions.current()
      await declareStream(session, topic, this.#settings)
      return session
    } catch (error) {
      throw refused(error)
    }
  }

  #requireSize(messages: readonly OutgoingMessage[]): void {
    const limit = this.#settings.messageLimitBytes
    for (const message of messages) {
      const bytes = messageBytes(message)
      if (bytes > limit) throw tooLarge(message, bytes, limit)
    }
  }
}

/** What the server takes counts with headers as they travel, where blanks and umlauts take three signs each. */
function requirePayload(
  session: Session,
  messages: readonly OutgoingMessage[],
  ready: readonly EncodedMessage[],
): void {
  const limit = session.connection.info?.max_payload ?? Number.POSITIVE_INFINITY
  for (const [at, { bytes }] of ready.entries()) {
    const message = messages[at]
    if (message !== undefined && bytes > limit) throw tooLarge(message, bytes, limit)
  }
}

function tooLarge({ id }: OutgoingMessage, bytes: number, limit: number): PublishError {
  const text = `message ${id} has ${bytes} bytes, over the limit of ${limit}`
  return new PublishError('refused', text, { code: 'MESSAGE_TOO_LARGE' })
}

/** Nothing was sent. */
function refused(cause: unknown): PublishError {
  return new PublishError('refused', `NATS took nothing: ${messageOf(cause)}`, { code: 'QUEUE_UNAVAILABLE', cause })
}

function requirePlace(topic: string, partition: number): void {
  requireTopic(topic)
  if (!Number.isInteger(partition) || partition < 0 || partition >= logPartitions) {
    throw new RangeError(`partition: ${partition} must be 0–${logPartitions - 1}`)
  }
}
