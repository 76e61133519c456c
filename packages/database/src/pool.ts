import { hasCode, PlatformError } from '@headrace/runtime'
import pg from 'pg'
import { wrapDatabaseError } from './errors.ts'
import { settleCommit } from './marker.ts'
import { TransactionRun } from './transaction.ts'
import type { Database, Rows, Statement, Transaction, TransactionOptions } from './types.ts'

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string
  /** Most connections at once; default 10. */
  readonly maxConnections?: number
  /** Shown in `pg_stat_activity`; default `headrace`. */
  readonly applicationName?: string
  /** Longest wait for a connection in ms; default 5 000. */
  readonly connectTimeoutMs?: number
  /** Longest time for one statement in ms, kept by the server; default 30 000. */
  readonly statementTimeoutMs?: number
  /** Longest pause between two statements of a transaction in ms, kept by the server; default 5 000: below the lease. */
  readonly idleInTransactionMs?: number
  /**
   * Silence in ms after which a connection in use counts as half-open and is given up; default 45 000, above every
   * statement's limit. Without such a limit (`statementTimeoutMs: 0`) silence says nothing, and none is given up.
   */
  readonly unresponsiveMs?: number
  /** How long the database may stay away, in ms, before a lost answer to COMMIT stays unknown; default 10 000. */
  readonly settleTimeoutMs?: number
  /** The role that every connection takes on (`set role`), for tests of a module's rights. */
  readonly role?: string
  /** Told of connections that break while nobody uses them, and of hooks after a commit that threw. */
  readonly onError?: (error: Error) => void
}

export const databaseDefaults = {
  maxConnections: 10,
  applicationName: 'headrace',
  connectTimeoutMs: 5_000,
  statementTimeoutMs: 30_000,
  idleInTransactionMs: 5_000,
  settleTimeoutMs: 10_000,
  unresponsiveMs: 45_000,
} as const

/** bigint as number: our offsets and counts stay below 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser(oid, format) {
    if (oid === 20 && format !== 'binary') return Number
    return pg.types.getTypeParser(oid, format)
  },
}

/** The settings of one connection, shared by the pool and by connections of their own (wake-ups). */
export function clientConfig(options: DatabaseOptions): pg.ClientConfig {
  const limits = { ...databaseDefaults, ...options }
  const session = [
    `statement_timeout=${limits.statementTimeoutMs}`,
    `idle_in_transaction_session_timeout=${limits.idleInTransactionMs}`,
    // One plan a named statement: planning anew each time, as the log's many children suggest, costs more than it saves.
    'plan_cache_mode=force_generic_plan',
    ...(options.role === undefined ? [] : [`role=${options.role}`]),
  ]
  return {
    connectionString: options.url,
    application_name: limits.applicationName,
    connectionTimeoutMillis: limits.connectTimeoutMs,
    options: session.map((setting) => `-c ${setting}`).join(' '),
    keepAlive: true,
    types,
  }
}

/** Opens a pool on a PostgreSQL server. Connects when first used, so a server that is away is no error here. */
export function openDatabase(options: DatabaseOptions): Database {
  return new PooledDatabase(options)
}

/** Bytes that a connection had brought when it was last seen to bring more. */
interface Heard {
  readonly bytes: number
  readonly at: number
}

/** What we need of the socket below a client. */
export interface Stream {
  cork(): void
  uncork(): void
  readonly bytesRead: number
  destroy(error: Error): void
}

class PooledDatabase implements Database {
  readonly url: string
  readonly #pool: pg.Pool
  readonly #running = new Map<pg.PoolClient, Heard>()
  readonly #watchdog: NodeJS.Timeout | undefined
  readonly #onError: (error: Error) => void
  readonly #settleTimeoutMs: number
  #stopped: Promise<void> | undefined

  constructor(options: DatabaseOptions) {
    this.url = options.url
    this.#settleTimeoutMs = options.settleTimeoutMs ?? databaseDefaults.settleTimeoutMs
    this.#pool = new pg.Pool({
      ...clientConfig(options),
      pipeline: true,
      max: options.maxConnections ?? databaseDefaults.maxConnections,
      idleTimeoutMillis: 60_000,
    } as pg.PoolConfig)
    // Without a listener an idle connection that the server closes would end the process.
    this.#onError = (error: Error & { client?: unknown }) => {
      // The pool hangs the whole connection on it, which nobody wants to read in a log.
      delete error.client
      options.onError?.(error)
    }
    // The pool ends before its connections are closed: a server that ends meanwhile breaks none that is used.
    this.#pool.on('error', (error) => this.#stopped ?? this.#onError(error))
    // Nor may one that breaks while it changes hands: the pool takes its listener off before the user puts one on.
    this.#pool.on('connect', (client) => client.on('error', () => undefined))
    if (options.statementTimeoutMs === 0) return
    const limitMs = options.unresponsiveMs ?? databaseDefaults.unresponsiveMs
    this.#watchdog = setInterval(() => this.#dropUnresponsive(limitMs), limitMs / 9)
    // The pool itself keeps the process alive while it has work; this timer only looks after it and is cleared in stop().
    this.#watchdog.unref()
  }

  async query<R extends object>(statement: Statement): Promise<Rows<R>> {
    const client = await this.#connect()
    return this.#using(client, async () => {
      try {
        const { rows, rowCount } = await client.query<R>(toQuery(statement))
        return { rows, rowCount: rowCount ?? 0 }
      } catch (error) {
        throw wrapDatabaseError(error)
      }
    })
  }

  async inTransaction<T>(work: (tx: Transaction) => Promise<T> | T, options: TransactionOptions = {}): Promise<T> {
    const client = await this.#connect()
    const run = new TransactionRun(client, options, this.#onError)
    const outcome = await this.#using(client, (gone) => run.execute(work, gone))
    if (outcome.kind === 'committed') return outcome.value
    // A fresh connection: the old one is gone, and with it the answer to COMMIT.
    const committed = await settleCommit(this, { ...outcome, timeoutMs: this.#settleTimeoutMs })
    if (!committed) {
      const message = 'the connection was lost and the transaction was not committed'
      throw new PlatformError('DATABASE_UNAVAILABLE', message, { cause: outcome.cause })
    }
    run.announce(undefined)
    return outcome.value
  }

  usage() {
    const { totalCount, idleCount, waitingCount } = this.#pool
    return { total: totalCount, idle: idleCount, waiting: waitingCount }
  }

  stop(): Promise<void> {
    clearInterval(this.#watchdog)
    this.#stopped ??= this.#pool.end()
    return this.#stopped
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect()
    } catch (error) {
      throw wrapDatabaseError(error)
    }
  }

  /**
   * Lends a connection; `gone` rejects when it breaks. Returns it to the pool afterwards, or destroys it when it may be
   * in the middle of something.
   */
  async #using<T>(client: pg.PoolClient, action: (gone: Promise<never>) => Promise<T>): Promise<T> {
    let broken: Error | undefined
    const gone = Promise.withResolvers<never>()
    gone.promise.catch(() => undefined)
    const onError = (error: Error) => {
      broken = error
      gone.reject(wrapDatabaseError(error))
    }
    client.on('error', onError)
    this.#running.set(client, { bytes: streamOf(client).bytesRead, at: performance.now() })
    try {
      return await action(gone.promise)
    } catch (error) {
      if (hasCode(error, 'DATABASE_UNAVAILABLE')) broken ??= error
      throw error
    } finally {
      this.#running.delete(client)
      client.off('error', onError)
      client.release(broken ?? inTransactionBlock(client))
    }
  }

  #dropUnresponsive(limitMs: number): void {
    const now = performance.now()
    for (const [client, heard] of this.#running) {
      const stream = streamOf(client)
      if (stream.bytesRead !== heard.bytes) this.#running.set(client, { bytes: stream.bytesRead, at: now })
      else if (now - heard.at > limitMs) stream.destroy(new Error('Connection terminated: no answer in time'))
    }
  }
}

export function toQuery(statement: Statement): pg.QueryConfig {
  const { name, replan, text, values } = statement
  return {
    text,
    ...(name === undefined || replan ? {} : { name }),
    ...(values === undefined ? {} : { values: [...values] }),
  }
}

/** The socket below a client; the typings keep it private. */
export function streamOf(client: pg.ClientBase): Stream {
  // The declared type hides `connection`, which every client has.
  return (client as unknown as { connection: { stream: Stream } }).connection.stream
}

/** True when the server says that a transaction is still open, so that the connection must not be used again. */
function inTransactionBlock(client: pg.PoolClient): boolean {
  // Part of the client since 8.12 and missing in the declared type.
  const status = (client as unknown as { getTransactionStatus?(): string | null }).getTransactionStatus?.()
  return status !== undefined && status !== null && status !== 'I'
}
