import { randomUUID } from 'node:crypto'
import { type Clock, PlatformError, systemClock } from '@headrace/runtime'
import { HeldPartition } from './memory-partition.ts'
import { type CarrierPosition, logPartitions, messageBytes } from './message.ts'
import {
  type Batch,
  type Held,
  type OutgoingMessage,
  PublishError,
  type ReadFrom,
  type ReadOptions,
  readDefaults,
  type Transport,
} from './transport.ts'

export interface MemoryTransportOptions {
  /** Most messages held at once; default 1 000. */
  readonly maxMessages?: number
  /** Most bytes held at once, as encoded; default 64 MiB. */
  readonly maxBytes?: number
  /** Largest message as encoded, in bytes; default 921 600 (900 KiB), as in the log. */
  readonly messageLimitBytes?: number
  readonly clock?: Clock
}

export const memoryDefaults = {
  maxMessages: 1_000,
  maxBytes: 64 * 1024 * 1024,
  messageLimitBytes: 921_600,
  clock: systemClock,
} as const satisfies Required<MemoryTransportOptions>

/** What a memory transport holds. */
export interface MemorySize {
  readonly messages: number
  readonly bytes: number
}

/** A carrier within this process, for work that may be lost with it. */
export interface MemoryTransport extends Transport {
  incarnationOf(topic: string): Promise<string>
  passed(group: string, topic: string, partition: number, next: CarrierPosition): void
  /** What is held: everything that not all known groups have passed. */
  size(): MemorySize
  /** Throws what `publish` would reject with, were all of these published now, to whichever partitions. */
  requireRoom(messages: readonly OutgoingMessage[]): void
  /** Forgets a group that will not come back, and frees what was kept for it alone. */
  forget(group: string): void
  /** Throws a topic's messages away and begins a new incarnation, as deleting and making a broker's topic does. */
  recreate(topic: string): void
}

/**
 * Holds messages in memory, 16 partitions a topic, under a random incarnation. A group is known to a topic once it has
 * read it by name or passed something of it. Messages are kept until at least one group is known and all known ones
 * have passed them; a later group starts at what is still held. A publish that does not fit is refused as `QUEUE_FULL`,
 * one with a message over the limit as `MESSAGE_TOO_LARGE`, one after `stop` as `QUEUE_UNAVAILABLE`; all or nothing.
 * Throws `RangeError` for options that are not whole numbers above 0.
 */
export function memoryTransport(options: MemoryTransportOptions = {}): MemoryTransport {
  const settings = { ...memoryDefaults, ...options }
  for (const field of ['maxMessages', 'maxBytes', 'messageLimitBytes'] as const) {
    const value = settings[field]
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`${field}: ${value} must be a whole number above 0`)
  }
  return new Memory(settings)
}

interface HeldTopic {
  readonly incarnation: string
  readonly groups: Set<string>
  readonly partitions: readonly HeldPartition[]
}

class Memory implements MemoryTransport {
  readonly name = 'memory'
  readonly durability = 'memory'
  readonly isLog = false
  readonly #settings: Required<MemoryTransportOptions>
  readonly #stopping = new AbortController()
  readonly #topics = new Map<string, HeldTopic>()

  constructor(settings: Required<MemoryTransportOptions>) {
    this.#settings = settings
  }

  async partitions(): Promise<number> {
    return logPartitions
  }

  async publish(topic: string, partition: number, messages: readonly OutgoingMessage[]): Promise<void> {
    const held = this.#partition(topic, partition)
    if (this.#stopping.signal.aborted) {
      throw new PublishError('refused', 'the memory queue has stopped', { code: 'QUEUE_UNAVAILABLE' })
    }
    this.requireRoom(messages)
    held.add(messages, this.#settings.clock.now())
  }

  async incarnationOf(topic: string): Promise<string> {
    return this.#topic(topic).incarnation
  }

  async held(topic: string, partition: number): Promise<Held> {
    const { first, end } = this.#partition(topic, partition)
    return { incarnation: this.#topic(topic).incarnation, first, end }
  }

  read(topic: string, partition: number, from: ReadFrom, options: ReadOptions): AsyncIterable<Batch> {
    this.#partition(topic, partition)
    // At once and not with the first batch: what is published and passed in between must be kept for this group.
    if (options.group !== undefined) this.#introduce(topic, options.group)
    return this.#batches(topic, partition, from, options)
  }

  passed(group: string, topic: string, partition: number, next: CarrierPosition): void {
    this.#introduce(topic, group)
    if (this.#topic(topic).incarnation !== next.incarnation) return
    this.#partition(topic, partition).pass(group, next.number)
  }

  size(): MemorySize {
    let messages = 0
    let bytes = 0
    for (const { partitions } of this.#topics.values()) {
      for (const held of partitions) {
        messages += held.messages
        bytes += held.bytes
      }
    }
    return { messages, bytes }
  }

  requireRoom(messages: readonly OutgoingMessage[]): void {
    const { maxMessages, maxBytes, messageLimitBytes } = this.#settings
    const size = this.size()
    let bytes = size.bytes
    for (const message of messages) {
      const own = messageBytes(message)
      if (own > messageLimitBytes) {
        const text = `message ${message.id} has ${own} bytes, over the limit of ${messageLimitBytes}`
        throw new PublishError('refused', text, { code: 'MESSAGE_TOO_LARGE' })
      }
      bytes += own
    }
    if (size.messages + messages.length > maxMessages || bytes > maxBytes) {
      const text = `the queue holds ${size.messages} of ${maxMessages} messages and ${size.bytes} of ${maxBytes} bytes`
      throw new PublishError('refused', text, { code: 'QUEUE_FULL' })
    }
  }

  forget(group: string): void {
    for (const { groups, partitions } of this.#topics.values()) {
      if (groups.delete(group)) for (const held of partitions) held.forget(group)
    }
  }

  recreate(topic: string): void {
    const old = this.#topic(topic)
    this.#topics.set(topic, emptyTopic())
    for (const group of old.groups) this.#introduce(topic, group)
    for (const held of old.partitions) held.wake()
  }

  async probe(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#stopping.signal.aborted) throw new PlatformError('QUEUE_UNAVAILABLE', 'the memory queue has stopped')
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** Goes on in the new incarnation, from its beginning, when the topic is made anew meanwhile. */
  async *#batches(topic: string, partition: number, from: ReadFrom, options: ReadOptions): AsyncGenerator<Batch> {
    const signal = AbortSignal.any([options.signal, this.#stopping.signal])
    const limits = {
      maxMessages: options.maxMessages ?? readDefaults.maxMessages,
      maxBytes: options.maxBytes ?? readDefaults.maxBytes,
    }
    let at = from.kind === 'position' ? from.position : { incarnation: '', number: 1 }
    while (!signal.aborted) {
      const { incarnation } = this.#topic(topic)
      const held = this.#partition(topic, partition)
      const next = at.incarnation === incarnation ? at.number : 1
      const messages = held.read(next, limits)
      const last = messages.at(-1)
      if (last === undefined) {
        await held.change(signal)
        continue
      }
      at = { incarnation, number: last.position + 1 }
      yield { incarnation, messages, atEnd: at.number === held.end }
    }
  }

  #introduce(topic: string, group: string): void {
    const { groups, partitions } = this.#topic(topic)
    if (groups.has(group)) return
    groups.add(group)
    for (const held of partitions) held.introduce(group)
  }

  #topic(topic: string): HeldTopic {
    const held = this.#topics.get(topic) ?? emptyTopic()
    this.#topics.set(topic, held)
    return held
  }

  #partition(topic: string, partition: number): HeldPartition {
    const held = this.#topic(topic).partitions[partition]
    if (held === undefined) throw new RangeError(`partition: ${partition} must be 0–${logPartitions - 1}`)
    return held
  }
}

function emptyTopic(): HeldTopic {
  const partitions = Array.from({ length: logPartitions }, () => new HeldPartition())
  return { incarnation: randomUUID(), groups: new Set(), partitions }
}
