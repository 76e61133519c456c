import { randomInt } from 'node:crypto'
import { backoffMs, messageOf, PlatformError, sleep, withDeadline } from '@headrace/runtime'
import pg from 'pg'
import { wrapDatabaseError } from './errors.ts'
import { clientConfig, type DatabaseOptions, streamOf, toQuery } from './pool.ts'
import type { Statement } from './types.ts'

/** Largest payload of NOTIFY in bytes (PostgreSQL, NOTIFY: "must be shorter than 8000 bytes"). */
export const notifyLimitBytes = 7_999

/**
 * One connection of a process outside the pool: it listens, rings for others, and holds the session lock by which
 * other processes see at once that this one died. Every wake-up is only a hint; whoever waits also polls.
 */
export interface WakeUps extends AsyncDisposable {
  /** Calls `ring` with each payload on a channel; returns what ends it. The channel is a plain identifier. */
  listen(channel: string, ring: (payload: string) => void): () => void
  /**
   * Rings a channel in other processes. Of payloads with the same subject (default: themselves) within a few
   * milliseconds only the last is sent. Never waits. Throws `RangeError` beyond `notifyLimitBytes`.
   */
  notify(channel: string, payload: string, subject?: string): void
  /**
   * A number that others find in `pg_locks` while this session lives (see `sessionAlive`), or undefined while there is
   * no connection. It changes with each connection.
   */
  readonly session: number | undefined
  /**
   * Sends a statement over this connection, apart from the pool and its queue. Throws `DATABASE_UNAVAILABLE` without a
   * connection; one that does not answer within `timeoutMs` is given up, and the session with it.
   */
  query(statement: Statement, timeoutMs: number): Promise<{ readonly rowCount: number }>
  /** True when no other session was there a second ago: a ring that only saves others a poll need not be sent. */
  readonly isAlone: boolean
  /** Calls back when the session was lost, and everything held by it. Returns what ends it. */
  onLost(lost: () => void): () => void
  /** Resolves when connected; rejects when the signal aborts first. */
  connected(signal?: AbortSignal): Promise<void>
  stop(): Promise<void>
}

/** SQL that is true while the session with this number lives; `session` is an SQL expression of type int. */
export function sessionAlive(session: string): string {
  return `exists (select from pg_locks l where l.locktype = 'advisory' and l.granted and l.objsubid = 2
    and l.classid = ${sessionLockClass} and l.objid::bigint = ${session}
    and l.database = (select oid from pg_database where datname = current_database()))`
}

/** First key of the session locks, "hrsl" in ASCII. */
const sessionLockClass = 0x6872736c

/** Pause in ms in which rings are gathered: NOTIFY takes a database-wide lock at commit. */
const gatherMs = 2

/** Pause in ms between two looks for other sessions. */
const lookMs = 1_000

const othersText = `select count(*)::int as others from pg_locks l where l.locktype = 'advisory' and l.objsubid = 2
  and l.classid = ${sessionLockClass} and l.objid::bigint <> $1
  and l.database = (select oid from pg_database where datname = current_database())`

/** Opens the wake-up connection; connects, and connects again, by itself. */
export function startWakeUps(options: DatabaseOptions): WakeUps {
  const wakeUps = new WakeUpConnection(options)
  wakeUps.start()
  return wakeUps
}

/** Modes: connecting (no session) → connected (session) → connecting …, until stopped. `#run` changes them. */
class WakeUpConnection implements WakeUps {
  session: number | undefined
  isAlone = false
  readonly #options: DatabaseOptions
  readonly #stopping = new AbortController()
  readonly #listeners = new Map<string, Set<(payload: string) => void>>()
  readonly #lost = new Set<() => void>()
  readonly #waiting = new Set<() => void>()
  readonly #rings = new Map<string, Map<string, string>>()
  #client: pg.Client | undefined
  #timer: NodeJS.Timeout | undefined
  #rangAt = 0
  #loop: Promise<void> = Promise.resolve()

  constructor(options: DatabaseOptions) {
    this.#options = options
  }

  start(): void {
    this.#loop = this.#run()
  }

  listen(channel: string, ring: (payload: string) => void): () => void {
    const listeners = this.#listeners.get(channel) ?? new Set()
    if (listeners.size === 0) this.#send(`listen "${channel}"`)
    this.#listeners.set(channel, listeners.add(ring))
    return () => {
      listeners.delete(ring)
      if (listeners.size === 0) this.#send(`unlisten "${channel}"`)
    }
  }

  notify(channel: string, payload: string, subject = payload): void {
    if (Buffer.byteLength(payload) > notifyLimitBytes) throw new RangeError('payload: longer than NOTIFY takes')
    const payloads = this.#rings.get(channel) ?? new Map<string, string>()
    this.#rings.set(channel, payloads.set(subject, payload))
    // The first ring after a pause goes out at once.
    const waitMs = this.#rangAt + gatherMs - performance.now()
    if (waitMs <= 0 && this.#timer === undefined) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), waitMs)
  }

  async query(statement: Statement, timeoutMs: number): Promise<{ readonly rowCount: number }> {
    const client = this.#client
    if (client === undefined) throw new PlatformError('DATABASE_UNAVAILABLE', 'the wake-up connection is down')
    const late = () => new PlatformError('DATABASE_UNAVAILABLE', 'the wake-up connection does not answer')
    try {
      const { rowCount } = await withDeadline(client.query(toQuery(statement)), timeoutMs, late)
      return { rowCount: rowCount ?? 0 }
    } catch (error) {
      if (error instanceof PlatformError) streamOf(client).destroy(error)
      throw wrapDatabaseError(error)
    }
  }

  onLost(lost: () => void): () => void {
    this.#lost.add(lost)
    return () => this.#lost.delete(lost)
  }

  async connected(signal?: AbortSignal): Promise<void> {
    if (this.session !== undefined) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const aborted = () => reject(signal?.reason)
    this.#waiting.add(resolve)
    signal?.addEventListener('abort', aborted, { once: true })
    if (signal?.aborted) aborted()
    try {
      await promise
    } finally {
      this.#waiting.delete(resolve)
      signal?.removeEventListener('abort', aborted)
    }
  }

  async stop(): Promise<void> {
    if (this.#timer !== undefined) this.#flush()
    this.#stopping.abort()
    await this.#client?.end().catch(() => undefined)
    await this.#loop
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #run(): Promise<void> {
    for (let attempt = 1; !this.#stopping.signal.aborted; attempt += 1) {
      try {
        await this.#connectAndHold()
        attempt = 0
      } catch (error) {
        this.#options.onError?.(error instanceof Error ? error : new Error(messageOf(error)))
      }
      await sleep(backoffMs(attempt + 1, { baseMs: 100, maxMs: 2_000 }), this.#stopping.signal)
    }
  }

  /** Connects, listens and takes the session lock; returns when the connection ends. */
  async #connectAndHold(): Promise<void> {
    // Pipelined, because rings do not wait for each other.
    const client = new pg.Client({
      ...clientConfig({ ...this.#options, idleInTransactionMs: 0 }),
      pipeline: true,
    } as pg.ClientConfig)
    const over = new AbortController()
    client.once('end', () => over.abort())
    client.on('error', () => undefined)
    client.on('notification', ({ channel, payload }) => {
      for (const ring of this.#listeners.get(channel) ?? []) ring(payload ?? '')
    })
    await client.connect()
    this.#client = client
    try {
      const session = randomInt(1, 2 ** 31)
      await client.query('select pg_advisory_lock($1::int, $2::int)', [sessionLockClass, session])
      for (const channel of this.#listeners.keys()) await client.query(`listen "${channel}"`)
      this.session = session
      for (const resolve of this.#waiting) resolve()
      if (!this.#stopping.signal.aborted) await this.#lookAround(client, over.signal)
    } finally {
      this.#client = undefined
      const held = this.session !== undefined
      this.session = undefined
      if (held) for (const lost of this.#lost) lost()
      await client.end().catch(() => undefined)
    }
  }

  /** Looks once a second whether there are other sessions, until the connection ends. */
  async #lookAround(client: pg.Client, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const others = await client
        .query({ name: 'wake-ups.others', text: othersText, values: [this.session ?? 0] })
        .catch(() => undefined)
      this.isAlone = others?.rows[0]?.others === 0
      await sleep(lookMs, over)
    }
    this.isAlone = false
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#rangAt = performance.now()
    const channels = [...this.#rings].flatMap(([channel, payloads]) =>
      [...payloads.values()].map((payload) => [channel, payload]),
    )
    this.#rings.clear()
    if (channels.length === 0) return
    const values = [channels.map(([channel]) => channel), channels.map(([, payload]) => payload)]
    const text = 'select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) as ring(channel, payload)'
    this.#client?.query({ name: 'wake-ups.notify', text, values }).catch(() => undefined)
  }

  /** Sends a command now if there is a connection; a new connection sends all of them anyway. */
  #send(command: string): void {
    if (this.session !== undefined) this.#client?.query(command).catch(() => undefined)
  }
}
