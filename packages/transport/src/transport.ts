import { PlatformError, type PlatformErrorCode } from '@headrace/runtime'
import type { CarriedMessage, CarrierPosition, Message, Origin } from './message.ts'

/**
 * What a carrier survives once it has answered: `memory` nothing, `disk` any process killed, `replicated` one machine
 * lost. Whether a power cut counts is said in docs/guarantees.md.
 */
export type Durability = 'memory' | 'disk' | 'replicated'

/** A message to publish; a relayed one carries its origin. */
export interface OutgoingMessage extends Message {
  readonly origin?: Origin
  /** When the log took it, in ms since the epoch; default now. */
  readonly at?: number
}

export interface ReadOptions {
  /** Ends the read; the iterator then returns. */
  readonly signal: AbortSignal
  /** Most messages in one batch; default 256. */
  readonly maxMessages?: number
  /** Most bytes in one batch, which holds at least one message; default 1 MiB. */
  readonly maxBytes?: number
  /** The group that reads: a carrier that frees what all groups have passed keeps for it what it has not. */
  readonly group?: string
}

export const readDefaults = { maxMessages: 256, maxBytes: 1024 * 1024 } as const

/** Messages in the order of their positions, all of one incarnation. */
export interface Batch {
  readonly incarnation: string
  readonly messages: readonly CarriedMessage[]
  /** True when the carrier held no more when it was asked; false when it does, or may. */
  readonly atEnd: boolean
}

/**
 * Carries messages from a log to consumers: in order per partition, at least once. It knows no groups, acknowledgements
 * or attempts; these are the inbox's. Obligations of an implementation:
 *
 * - `publish` is all or unknown: it resolves when all messages are held at the driver's durability, in the given order
 *   behind everything that resolved before, or rejects with a `PublishError`. Concurrent calls for one partition are
 *   the caller's fault.
 * - `read` yields every message held at or after `from`, in order, without end, until its signal aborts. A position
 *   that the carrier no longer holds starts at the first it does; another incarnation starts at the beginning.
 *   It reads ahead at most one batch, so that a slow consumer slows the carrier and fills no memory.
 * - Errors of the carrier end the iterator by throwing a `PlatformError`, as does a partition that a topic made anew has
 *   not; the caller asks for the partitions and reads again with backoff.
 */
export interface Transport extends AsyncDisposable {
  /** `postgres`, `memory`, `nats`, `kafka`: as in settings, statistics and tables. */
  readonly name: string
  readonly durability: Durability
  /** True when this is the log itself: appending is publishing, and positions are the log's offsets. */
  readonly isLog: boolean
  /** Number n of the carrier's partitions of a topic, the same until it is made anew. Our partition p travels in p mod n. */
  partitions(topic: string): Promise<number>
  publish(topic: string, partition: number, messages: readonly OutgoingMessage[]): Promise<void>
  /**
   * The incarnation of a topic as the carrier knows it now, or recently: it changes when the topic is made anew. A
   * carrier without it never loses a topic.
   */
  incarnationOf?(topic: string): Promise<string>
  /** What a partition of the carrier holds now; makes the topic where there is none. Throws as `read`. */
  held(topic: string, partition: number): Promise<Held>
  read(topic: string, partition: number, from: ReadFrom, options: ReadOptions): AsyncIterable<Batch>
  /**
   * A hint that a group has handled everything of a partition before `next`; a carrier may show it to outside tools or
   * free its memory. It may come late or never.
   */
  passed?(group: string, topic: string, partition: number, next: CarrierPosition): void
  /** What a log was restored from, the latest first, where the carrier knows it. */
  past?(log: string, topic: string, partition: number): Promise<readonly PastLog[]>
  /** Asks the carrier whether it serves, without side effects; throws a `PlatformError` that says what is wrong. */
  probe(signal: AbortSignal): Promise<void>
  /** Ends all reads, waits for publishes in flight, and releases what the driver holds. */
  stop(): Promise<void>
}

/** The positions that a partition of a carrier holds: from `first` up to `end`, which is not held yet; equal when none. */
export interface Held {
  readonly incarnation: string
  readonly first: number
  readonly end: number
}

/** A log before it was restored, and the last offset of a partition that every copy since was found with. */
export interface PastLog {
  readonly origin: string
  readonly last: number
}

/** From where to read: a position, or the beginning of what the carrier still holds. */
export type ReadFrom =
  | { readonly kind: 'beginning'; readonly atMs?: number }
  | { readonly kind: 'position'; readonly position: CarrierPosition; readonly atMs?: number }

/** Why a carrier took nothing: by these codes a caller over HTTP learns whether it may try again. */
export type RefusalCode = Extract<
  PlatformErrorCode,
  'PUBLISH_REFUSED' | 'QUEUE_FULL' | 'QUEUE_UNAVAILABLE' | 'MESSAGE_TOO_LARGE'
>

export interface PublishErrorOptions {
  readonly cause?: unknown
  /** Default `PUBLISH_REFUSED`; only for what was refused. */
  readonly code?: RefusalCode
}

/**
 * Publishing failed. `refused`: the carrier holds none of the messages. `unknown`: it may hold a prefix, all or none;
 * publish all of them again, in order.
 */
export class PublishError extends PlatformError {
  readonly outcome: 'refused' | 'unknown'

  constructor(outcome: 'refused' | 'unknown', message: string, options: PublishErrorOptions = {}) {
    const code = outcome === 'refused' ? (options.code ?? 'PUBLISH_REFUSED') : 'PUBLISH_UNKNOWN'
    super(code, message, { cause: options.cause })
    this.name = 'PublishError'
    this.outcome = outcome
  }
}
