import type { Transaction, TransactionOptions } from '@headrace/database'
import type { CarriedMessage, LogRange } from '@headrace/transport'
import type { NewMessage } from './append.ts'

/** A transaction that can append to the log of its database. */
export interface LogTransaction extends Transaction {
  /**
   * Collects a message; it is written together with COMMIT, at the next offset of its partition. Throws
   * `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED` at once. A topic that was never declared fails the transaction with `TOPIC_UNKNOWN`.
   */
  append(message: NewMessage): void
}

/** How far a partition's log reaches. */
export interface Head {
  readonly topic: string
  readonly partition: number
  /** The offset that the next message gets. */
  readonly nextOffset: number
}

/** A record with the topic and partition that it stands in. */
export interface LogRecord extends CarriedMessage {
  readonly topic: string
  readonly partition: number
}

/** The log of one database: messages at gapless offsets, in commit order per partition. */
export interface Log extends AsyncDisposable {
  /** The incarnation (a UUID): changes when the database is a restored copy. */
  readonly id: string
  /** Makes a topic known, with 16 partitions. Throws `TOPIC_PARTITIONS_CHANGED` when it exists with another number. */
  declareTopic(topic: string): Promise<void>
  /** Runs `work` in a transaction of the log's database that can append; see `Database.inTransaction`. */
  inTransaction<T>(work: (tx: LogTransaction) => Promise<T> | T, options?: TransactionOptions): Promise<T>
  /** Gives a transaction of the log's database the ability to append. */
  appendingTo(tx: Transaction): LogTransaction
  /** Reads a range of one partition. */
  read(range: LogRange): Promise<readonly CarriedMessage[]>
  /** The first offset still held, or the head where nothing is. */
  firstOffset(topic: string, partition: number): Promise<number>
  /** Resolves when the partition holds something at or after `offset`, or the signal aborts. */
  available(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void>
  heads(topic: string): Promise<readonly Head[]>
  /** The first record with this message id, while the log keeps it. */
  find(topic: string, messageId: string): Promise<LogRecord | undefined>
  /** Asks the database whether the log can be written now; throws a `PlatformError` that says what is wrong. */
  probe(signal: AbortSignal): Promise<void>
  /** Ends the loops: polling and retention. */
  stop(): Promise<void>
}
