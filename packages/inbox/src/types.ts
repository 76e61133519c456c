import type { Log, LogTransaction } from '@headrace/log'
import type { BackoffOptions } from '@headrace/runtime'
import type { CarriedMessage } from '@headrace/transport'

/** A place in a lane: what one producer wrote to one partition, in its order. */
export interface LaneSpot {
  /** The log's incarnation; of a foreign producer's message the carrier and its incarnation, with a slash between. */
  readonly origin: string
  readonly partition: number
  /** Rises along the lane; gapless where a log is the origin. */
  readonly offset: number
}

/** A message as a handler gets it. */
export interface Delivery extends CarriedMessage {
  readonly topic: string
  /** Where it stands: the same whichever carrier brought it, and after a redrive. */
  readonly spot: LaneSpot
  /** Counted from 1; a message that waited behind its key and was never tried has 1 too. */
  readonly attempt: number
}

/**
 * Handles messages, each key's in order, in the transaction that moves the cursors of the partitions that they come
 * from. Database work only: slow or external work belongs into `work`. It never takes a second connection and locks
 * shared rows first and sorted. It may run for nothing: whatever it did in a transaction that does not commit is undone,
 * also where the lane turns out to be another's, or a message to wait behind its key.
 *
 * Return: done. Throw: the messages before the one at fault are committed and it is tried again later, alone; say which
 * one with `MessageError`, or each message of the batch gets a transaction of its own. `PoisonMessageError`: dead
 * letter at once.
 */
export type Handle = (tx: LogTransaction, messages: readonly Delivery[]) => Promise<void> | void

/** What a piece of work wants recorded, in the transaction that completes its message. */
export type Effect = (tx: LogTransaction) => Promise<unknown> | unknown

export interface WorkContext {
  /** Aborts when the time is up or the process stops before the work is done. */
  readonly signal: AbortSignal
}

/**
 * Does slow, external or user-supplied work for one message, outside any transaction: executed at least once, its
 * effect recorded once. Messages of one key run in order. Throw to have it tried again later.
 */
export type Work = (message: Delivery, context: WorkContext) => Promise<Effect | undefined> | Effect | undefined

/** How a group consumes a topic. Exactly one of `handle` and `work`. */
export interface Subscription {
  readonly group: string
  readonly topic: string
  readonly handle?: Handle
  readonly work?: Work
  /** `key`: messages with the same key keep their order (default). `none`: each message stands for itself. */
  readonly order?: 'key' | 'none'
  /** Batches (`handle`) or messages (`work`) at the same time in this process; default 4. */
  readonly concurrency?: number
  /** Most messages in one batch; default 256. */
  readonly maxMessages?: number
  /** Attempts before a message is dead; default 10. */
  readonly maxAttempts?: number
  /** Waits between attempts; default 200 ms doubling up to 60 s, full jitter. */
  readonly backoff?: BackoffOptions
  /** When a message is dead: its key blocks until somebody decides (default), or the next message runs. */
  readonly afterDeath?: 'block' | 'flow'
  /** Longest time for one `work` in ms; default 60 000. */
  readonly workTimeoutMs?: number
  /** Messages that wait for workers before the lanes pause; default 10 000. */
  readonly maxReady?: number
}

export const subscriptionDefaults = {
  order: 'key',
  concurrency: 4,
  maxMessages: 256,
  maxAttempts: 10,
  backoff: { baseMs: 200, maxMs: 60_000 },
  afterDeath: 'block',
  workTimeoutMs: 60_000,
  maxReady: 10_000,
} as const satisfies Partial<Subscription>

/** Told of what happens, synchronously; for metrics and statistics. Each is optional. */
export interface ConsumerEvents {
  /** Messages whose effect was committed. */
  handled?(count: number): void
  /** An attempt failed; the message waits for the next. */
  failed?(message: Delivery, error: unknown): void
  /** A message was set aside as dead. */
  died?(message: Delivery, code: string): void
  /** A lane's next message is on no carrier (`LANE_GAP`). */
  gap?(lane: { topic: string; partition: number; origin: string; position: number }): void
}

/** A consumer that runs. `stop` finishes the batches at hand and releases its leases for others to take at once. */
export interface Consumer extends AsyncDisposable {
  /** Partitions that this process reads now. */
  readonly partitions: readonly number[]
  stop(): Promise<void>
}

export type { Log }
