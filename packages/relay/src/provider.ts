import { hasCode, PlatformError, sleep } from '@headrace/runtime'
import type { OutgoingMessage, Transport } from '@headrace/transport'
import { Breaker, type BreakerState } from './breaker.ts'
import { Departures } from './departures.ts'
import { Pace } from './pace.ts'

export interface ProviderOptions {
  /** Longest time in ms for one publish; then its outcome counts as unknown. Default 10 000. */
  readonly publishTimeoutMs?: number
  readonly breaker?: Breaker
}

/** Counts since the process started. */
export interface ProviderCounts {
  readonly published: number
  readonly failed: number
}

/** How long a stop waits for a publish under way, in ms; what is cut off then is published again later. */
const stopGraceMs = 1_000

/** What carries a topic to one provider: its breaker, and one publish at a time for each of its partitions. */
export class Provider {
  readonly transport: Transport
  readonly topic: string
  readonly breaker: Breaker
  readonly #timeoutMs: number
  /** The carrier's partitions that something is being published to. */
  readonly #busy = new Map<number, Promise<void>>()
  /** By our partition. */
  readonly #paces = new Map<number, Pace>()
  readonly #departures = new Departures()
  #partitions: number | undefined
  /** Ends the pause of those who wait for a provider that is back. */
  #back = new AbortController()
  #published = 0
  #failed = 0

  constructor(transport: Transport, topic: string, options: ProviderOptions = {}) {
    this.transport = transport
    this.topic = topic
    this.#timeoutMs = options.publishTimeoutMs ?? 10_000
    this.breaker = options.breaker ?? new Breaker({ onChange: (state) => this.#changed(state) })
  }

  isFor(name: string, topic: string): boolean {
    return this.transport.name === name && this.topic === topic
  }

  get counts(): ProviderCounts {
    return { published: this.#published, failed: this.#failed }
  }

  /** How many messages of a partition should be published at once. */
  atOnce(partition: number): number {
    return this.#pace(partition).messages
  }

  /** Resolves when what the partitions have at hand should be published: they leave together. */
  departure(): Promise<void> {
    return this.#departures.next()
  }

  /** Asks anew how many partitions the carrier has before it publishes on: the topic may be another now. */
  forgetPartitions(): void {
    this.#partitions = undefined
  }

  /**
   * Publishes to the partition of the carrier that ours travels in, after what it is sent now. Rejects with a
   * `PublishError` or after the deadline: then the carrier may hold a prefix, all or none of them.
   */
  async publish(partition: number, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void> {
    this.#partitions ??= await this.#ask(signal, () => this.transport.partitions(this.topic))
    const carried = partition % this.#partitions
    while (this.#busy.has(carried)) await ended(this.#busy.get(carried), signal)
    await this.#ask(signal, () => {
      const publishing = this.transport.publish(this.topic, carried, messages)
      this.#occupy(carried, publishing)
      const since = performance.now()
      const ended = (count: number) => this.#pace(partition).ended(count, performance.now() - since)
      publishing.then(
        () => ended(messages.length),
        () => ended(0),
      )
      return publishing
    })
    this.#published += messages.length
  }

  #pace(partition: number): Pace {
    const pace = this.#paces.get(partition) ?? new Pace(this.#timeoutMs)
    this.#paces.set(partition, pace)
    return pace
  }

  /** One call through the breaker and under the deadline. */
  async #ask<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    while (!this.breaker.enter()) {
      // A sleep that is over at once would keep everything else in the process from its turn, the call that decides too.
      signal.throwIfAborted()
      await sleep(pauseMs, AbortSignal.any([signal, this.#back.signal]))
    }
    try {
      signal.throwIfAborted()
      const answer = await this.#answer(call(), signal)
      this.breaker.succeeded()
      return answer
    } catch (error) {
      this.#judge(error, signal)
      throw error
    }
  }

  /** What a call comes to, unless it is late, or goes on for more than a moment when we are to stop. */
  async #answer<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>()
    const waiting = (ms: number) => setTimeout(() => reject(this.#late(ms)), ms)
    let timer = waiting(this.#timeoutMs)
    const hurry = () => {
      clearTimeout(timer)
      timer = waiting(Math.min(stopGraceMs, this.#timeoutMs))
    }
    signal.addEventListener('abort', hurry, { once: true })
    try {
      return await Promise.race([call, late])
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', hurry)
    }
  }

  #judge(error: unknown, signal: AbortSignal): void {
    // A carrier that is full or takes no message so large serves, and one that we stop asking has done nothing wrong.
    if (signal.aborted || hasCode(error, 'QUEUE_FULL') || hasCode(error, 'MESSAGE_TOO_LARGE')) {
      this.breaker.abandoned(signal.aborted ? undefined : error)
      return
    }
    this.#failed += 1
    this.breaker.failed(error)
  }

  /** A publish that is late still counts as under way for a while: two at a time would mix their messages. */
  #occupy(carried: number, publishing: Promise<unknown>): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, 3 * this.#timeoutMs)
    const done = () => resolve()
    publishing.then(done, done)
    const free = promise.then(() => {
      clearTimeout(timer)
      this.#busy.delete(carried)
    })
    this.#busy.set(carried, free)
  }

  #late(ms: number): Error {
    const text = `${this.transport.name} did not confirm within ${ms} ms`
    return new PlatformError('PUBLISH_UNKNOWN', text)
  }

  #changed(state: BreakerState): void {
    if (state !== 'closed') return
    this.#back.abort()
    this.#back = new AbortController()
  }
}

/** Time in ms between two looks at a breaker that lets nobody through. */
const pauseMs = 50

/** Resolves when the work has ended, or rejects when the signal aborts. */
async function ended(work: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  const left = new AbortController()
  try {
    await Promise.race([work, sleep(2 ** 31 - 1, AbortSignal.any([signal, left.signal]))])
  } finally {
    left.abort()
  }
  signal.throwIfAborted()
}
