import type { Database, MigrationSource, Transaction, TransactionOptions, WakeUps } from '@headrace/database'
import { type FaultPoints, noFaults, type OnBackgroundError, PlatformError, type Running } from '@headrace/runtime'
import type { LogRange } from '@headrace/transport'
import { appendCollector, isUnknownTopic, type NewMessage, requireStorable, requireWithinLimit } from './append.ts'
import { type Heads, readHeads, startHeads } from './heads.ts'
import { currentIncarnation } from './incarnation.ts'
import { findById, firstOffsetOf, readRange } from './read.ts'
import { attachChildren, type RetentionOptions, startRetention } from './retention.ts'
import { Tail } from './tail.ts'
import { declareTopic } from './topics.ts'
import type { Log, LogTransaction } from './types.ts'

export interface LogNeeds {
  readonly database: Database
  readonly wakeUps: WakeUps
  readonly onError: OnBackgroundError
  readonly faults?: FaultPoints
}

export interface LogOptions extends Partial<RetentionOptions> {
  /** Largest message as encoded, in bytes; default 921 600 (900 KiB): what Kafka and NATS take by default. */
  readonly messageLimitBytes?: number
}

export const logDefaults = { messageLimitBytes: 921_600, retentionMs: 24 * 3_600_000 } as const

/** This package's tables. */
export const logMigrations: MigrationSource = {
  name: 'log',
  schema: 'headrace',
  directory: new URL('../migrations/', import.meta.url),
}

/** Opens the log of a migrated database: settles its incarnation, makes room for messages, starts its loops. */
export async function openLog(needs: LogNeeds, options: LogOptions = {}): Promise<Log> {
  const settings = { ...logDefaults, ...options }
  const faults = needs.faults ?? noFaults
  const id = await currentIncarnation(needs.database)
  await attachChildren(needs.database)
  const heads = startHeads(needs)
  const tail = new Tail(id)
  const unwatch = needs.wakeUps.onLost(() => tail.clear())
  const retention = startRetention({ ...needs, faults }, settings)
  return new DatabaseLog(needs.database, settings.messageLimitBytes, { id, heads, retention, tail, unwatch })
}

interface LogParts {
  readonly id: string
  readonly heads: Heads
  readonly retention: Running
  readonly tail: Tail
  readonly unwatch: () => void
}

class DatabaseLog implements Log {
  readonly id: string
  readonly #database: Database
  readonly #limitBytes: number
  readonly #parts: LogParts
  readonly #collector

  constructor(database: Database, limitBytes: number, parts: LogParts) {
    this.id = parts.id
    this.#database = database
    this.#limitBytes = limitBytes
    this.#parts = parts
    this.#collector = appendCollector({
      message: (message, place) => parts.tail.add(message, place),
      committed: (appended) => parts.heads.committed(appended),
    })
  }

  declareTopic(topic: string): Promise<void> {
    return declareTopic(this.#database, topic)
  }

  async inTransaction<T>(work: (tx: LogTransaction) => Promise<T> | T, options?: TransactionOptions): Promise<T> {
    try {
      return await this.#database.inTransaction((tx) => work(this.appendingTo(tx)), options)
    } catch (error) {
      if (!isUnknownTopic(error)) throw error
      throw new PlatformError('TOPIC_UNKNOWN', 'a message was appended to a topic that was never declared', {
        cause: error,
      })
    }
  }

  appendingTo(tx: Transaction): LogTransaction {
    const append = (message: NewMessage) => {
      requireStorable(message)
      requireWithinLimit(message, this.#limitBytes)
      tx.collect(this.#collector, message)
    }
    return {
      append,
      query: (statement) => tx.query(statement),
      collect: (collector, item) => tx.collect(collector, item),
      afterCommit: (action) => tx.afterCommit(action),
    }
  }

  async read(range: LogRange) {
    const near = this.#parts.tail.read(range)
    if (near !== undefined) return near
    const records = await readRange(this.#database, this.id, range)
    if (records.length > 0 || !this.#parts.heads.reaches(range.topic, range.partition, range.from)) return records
    return readRange(this.#database, this.id, { ...range, untilMs: Number.POSITIVE_INFINITY })
  }

  firstOffset(topic: string, partition: number): Promise<number> {
    return firstOffsetOf(this.#database, topic, partition)
  }

  available(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void> {
    return this.#parts.heads.available(topic, partition, offset, signal)
  }

  heads(topic: string) {
    return readHeads(this.#database, [topic])
  }

  find(topic: string, messageId: string) {
    return findById(this.#database, this.id, topic, messageId)
  }

  async probe(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { rows } = await this.#database.query<{ readonly: string }>({
      name: 'log.probe',
      text: `select current_setting('transaction_read_only') as readonly`,
    })
    if (rows[0]?.readonly === 'off') return
    throw new PlatformError('DATABASE_UNAVAILABLE', 'the database takes no writes (read only)')
  }

  async stop(): Promise<void> {
    this.#parts.unwatch()
    await this.#parts.retention.stop()
    await this.#parts.heads[Symbol.asyncDispose]()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}
