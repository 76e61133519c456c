import { PlatformError, untilAborted, withDeadline } from '@headrace/runtime'
import {
  type Batch,
  type CarrierPosition,
  type Durability,
  type Held,
  type OutgoingMessage,
  PublishError,
  type ReadFrom,
  type ReadOptions,
  readDefaults,
  type Transport,
} from '@headrace/transport'
import type { Admin } from '@platformatic/kafka'
import { abandon, adminClient, consumerClient, type KafkaConsumer } from './clients.ts'
import { unavailable } from './failures.ts'
import { endOffset, Fetcher, firstOffset } from './fetcher.ts'
import { GroupOffsets } from './group-offsets.ts'
import { type KafkaSettings, type KafkaTransportOptions, kafkaSettings } from './options.ts'
import { Publisher } from './publisher.ts'
import { Reading } from './reading.ts'
import { offsetOf, positionOf } from './records.ts'
import { Topics } from './topics.ts'

/** How old what we know of a topic may be when somebody asks for its incarnation, in ms. */
const incarnationMs = 1_000
/** How long a stop waits for publishes under way, in ms; then they end as unknown. */
const stopGraceMs = 1_000
/** Longest wait at the stop for hints that nobody depends on, in ms. */
const farewellMs = 1_000

/**
 * Carries messages in Kafka's topics: positions are offsets counted from 1, the incarnation is the topic's id. Connects
 * when it is first used, and again whenever a connection was lost. Throws `RangeError` that names the option which is
 * wrong.
 */
export function kafkaTransport(options: KafkaTransportOptions): Transport {
  return new Kafka(kafkaSettings(options))
}

class Kafka implements Transport {
  readonly name = 'kafka'
  readonly durability: Durability
  readonly isLog = false
  readonly #admin: Admin
  readonly #consumer: KafkaConsumer
  readonly #topics: Topics
  readonly #fetcher: Fetcher
  readonly #publisher: Publisher
  readonly #offsets: GroupOffsets
  readonly #stopping = new AbortController()
  readonly #publishing = new Set<Promise<void>>()
  #stopped: Promise<void> | undefined

  constructor(settings: KafkaSettings) {
    this.durability = settings.replicationFactor >= 2 ? 'replicated' : 'disk'
    this.#admin = adminClient(settings)
    this.#consumer = consumerClient(settings)
    this.#topics = new Topics(this.#admin, settings)
    this.#fetcher = new Fetcher({ admin: this.#admin, consumer: this.#consumer, topics: this.#topics })
    this.#publisher = new Publisher(settings, this.#topics)
    this.#offsets = new GroupOffsets(this.#admin)
  }

  async partitions(topic: string): Promise<number> {
    return (await this.#topics.get(topic)).leaders.length
  }

  async incarnationOf(topic: string): Promise<string> {
    return (await this.#topics.get(topic, incarnationMs)).id
  }

  async held(topic: string, partition: number): Promise<Held> {
    const { id } = await this.#topics.get(topic, incarnationMs)
    try {
      const [first, end] = await Promise.all([
        firstOffset(this.#admin, topic, partition),
        endOffset(this.#admin, topic, partition),
      ])
      // Offsets are asked for by name: they must be those of this incarnation.
      if ((await this.#topics.get(topic, 0)).id !== id) throw new Error('it was made anew')
      return { incarnation: id, first: positionOf(first), end: positionOf(end) }
    } catch (error) {
      this.#topics.forget(topic)
      throw unavailable(`topic ${topic}`, error)
    }
  }

  async publish(topic: string, partition: number, messages: readonly OutgoingMessage[]): Promise<void> {
    requirePartition(partition)
    if (this.#stopping.signal.aborted) {
      throw new PublishError('refused', 'the Kafka carrier has stopped', { code: 'QUEUE_UNAVAILABLE' })
    }
    if (messages.length === 0) return
    const publishing = this.#publisher.publish(topic, partition, messages)
    const settled = publishing.catch(() => undefined)
    this.#publishing.add(settled)
    try {
      await publishing
    } finally {
      this.#publishing.delete(settled)
    }
  }

  read(topic: string, partition: number, from: ReadFrom, options: ReadOptions): AsyncIterable<Batch> {
    requirePartition(partition)
    return this.#batches({ topic, partition }, from, options)
  }

  passed(group: string, topic: string, partition: number, next: CarrierPosition): void {
    if (this.#stopping.signal.aborted || this.#topics.known(topic)?.id !== next.incarnation) return
    this.#offsets.note(group, topic, partition, offsetOf(next.number))
  }

  async probe(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#stopping.signal.aborted) throw new PlatformError('QUEUE_UNAVAILABLE', 'the Kafka carrier has stopped')
    const { promise: late, reject } = Promise.withResolvers<never>()
    const aborted = () => reject(new Error('no answer in time'))
    signal.addEventListener('abort', aborted, { once: true })
    try {
      await Promise.race([this.#admin.metadata({ topics: [], forceUpdate: true, retries: 0 }), late])
    } catch (error) {
      throw unavailable('Kafka does not serve', error)
    } finally {
      signal.removeEventListener('abort', aborted)
    }
  }

  stop(): Promise<void> {
    this.#stopping.abort()
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(): Promise<void> {
    await untilAborted(Promise.all(this.#publishing), AbortSignal.timeout(stopGraceMs))
    await Promise.all([abandon(this.#consumer), this.#publisher.stop(), this.#sayFarewell()])
    await abandon(this.#admin)
    await this.#fetcher.stop()
  }

  async #sayFarewell(): Promise<void> {
    await withDeadline(this.#offsets.stop(), farewellMs, () => new Error('late')).catch(() => undefined)
  }

  async *#batches(
    place: { readonly topic: string; readonly partition: number },
    from: ReadFrom,
    options: ReadOptions,
  ): AsyncGenerator<Batch> {
    const signal = AbortSignal.any([options.signal, this.#stopping.signal])
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => end(), { once: true })
    if (signal.aborted) return
    const reading = await Promise.race([this.#begin(place, from, options), ended])
    if (reading === undefined) return
    this.#fetcher.add(reading)
    try {
      while (!signal.aborted) {
        await Promise.race([reading.ready(() => this.#fetcher.wake()), ended])
        const batch = signal.aborted ? undefined : reading.take()
        if (batch === undefined) continue
        this.#fetcher.took(reading)
        yield batch
      }
    } finally {
      this.#fetcher.remove(reading)
    }
  }

  async #begin(
    place: { readonly topic: string; readonly partition: number },
    from: ReadFrom,
    options: ReadOptions,
  ): Promise<Reading> {
    const { id } = await this.#topics.get(place.topic, incarnationMs)
    const same = from.kind === 'position' && from.position.incarnation === id
    const limits = {
      maxMessages: options.maxMessages ?? readDefaults.maxMessages,
      maxBytes: options.maxBytes ?? readDefaults.maxBytes,
    }
    return new Reading(place, { incarnation: id, next: same ? offsetOf(from.position.number) : 0 }, limits)
  }
}

function requirePartition(partition: number): void {
  if (!Number.isInteger(partition) || partition < 0)
    throw new RangeError(`partition: ${partition} must be a whole number from 0 on`)
}
