import { type Database, isInfrastructureError, type Rows, type Statement, sqlState } from '@headrace/database'
import { messageOf, type OnBackgroundError, PlatformError, type Running, startSweep } from '@headrace/runtime'
import { type Counter, type KeyValue, requireKey, requireTtl, requireValue } from './keyvalue.ts'

/** What this driver needs of a database: statements that commit by themselves, so that `now()` is the present. */
export type KeyValueDatabase = Pick<Database, 'query'>

/**
 * Key-value in a table of the database: survives a restart and a kill, times by the database's clock. Expired rows are
 * never seen; `startKeyValueSweep` removes them.
 */
export function tableKeyValue(database: KeyValueDatabase): KeyValue {
  return {
    async get(key) {
      requireKey(key)
      const { rows } = await send<ValueRow>(database, getStatement(key))
      return rows[0]?.value
    },
    async set(key, value, ttl) {
      requireEntry(key, value, ttl)
      await send(database, setStatement(key, value, ttl.ttlMs))
    },
    async setIfAbsent(key, value, ttl) {
      requireEntry(key, value, ttl)
      const { rowCount } = await send(database, setIfAbsentStatement(key, value, ttl.ttlMs))
      return rowCount === 1
    },
    async compareAndSet(key, expected, value, ttl) {
      requireEntry(key, value, ttl)
      requireValue(expected)
      const { rowCount } = await send(database, compareAndSetStatement({ key, expected, value, ttlMs: ttl.ttlMs }))
      return rowCount === 1
    },
    async take(key) {
      requireKey(key)
      const { rows } = await send<ValueRow>(database, takeStatement(key))
      return rows[0]?.value
    },
    async delete(key) {
      requireKey(key)
      const { rows } = await send(database, takeStatement(key))
      return rows.length === 1
    },
    async increment(key, ttl) {
      requireEntry(key, '', ttl)
      const { rows } = await send<CounterRow>(database, incrementStatement(key, ttl.ttlMs))
      return counterOf(rows)
    },
  }
}

export interface KeyValueSweepOptions {
  /** Told of sweeps that failed; the loop goes on after a backoff. */
  readonly onError: OnBackgroundError
  /** Pause between sweeps in ms; default 10 000. */
  readonly everyMs?: number
}

const sweepDefaults = { everyMs: 10_000 } satisfies Partial<KeyValueSweepOptions>

/** Most rows that one statement of a sweep deletes, so that it never holds many locks for long. */
const sweepBatchRows = 1_000

/** Removes expired rows now and then. Any number of processes may sweep side by side. */
export function startKeyValueSweep(database: KeyValueDatabase, options: KeyValueSweepOptions): Running {
  const { everyMs, onError } = { ...sweepDefaults, ...options }
  const sweep = () => sweepKeyValue(database)
  return startSweep({ name: 'keyvalue sweep', sweep, batchSize: sweepBatchRows, everyMs, onError })
}

/** Deletes expired rows, at most `limit` (default 1 000); returns how many. */
export async function sweepKeyValue(database: KeyValueDatabase, limit = sweepBatchRows): Promise<number> {
  const { rowCount } = await send(database, sweepStatement(limit))
  return rowCount
}

interface ValueRow {
  readonly value: string
}

interface CounterRow {
  readonly count: number
  readonly expires_in_ms: number
}

function getStatement(key: string): Statement {
  const text = 'select value from headrace.keyvalue where key = $1 and expires_at > now()'
  return { name: 'keyvalue.get', text, values: [key] }
}

const insertEntry = `insert into headrace.keyvalue as kv (key, value, expires_at)
  values ($1, $2, now() + $3::float8 * interval '1 millisecond')`

function setStatement(key: string, value: string, ttlMs: number): Statement {
  const text = `${insertEntry}
    on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at`
  return { name: 'keyvalue.set', text, values: [key, value, ttlMs] }
}

// Waits for a twin that writes the same key, then looks at what that one left.
function setIfAbsentStatement(key: string, value: string, ttlMs: number): Statement {
  const text = `${insertEntry}
    on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at
    where kv.expires_at <= now()`
  return { name: 'keyvalue.set-if-absent', text, values: [key, value, ttlMs] }
}

interface Exchange {
  readonly key: string
  readonly expected: string
  readonly value: string
  readonly ttlMs: number
}

function compareAndSetStatement({ key, expected, value, ttlMs }: Exchange): Statement {
  const text = `update headrace.keyvalue
    set value = $3, expires_at = now() + $4::float8 * interval '1 millisecond'
    where key = $1 and value = $2 and expires_at > now()`
  return { name: 'keyvalue.compare-and-set', text, values: [key, expected, value, ttlMs] }
}

function takeStatement(key: string): Statement {
  const text = 'delete from headrace.keyvalue where key = $1 and expires_at > now() returning value'
  return { name: 'keyvalue.take', text, values: [key] }
}

function incrementStatement(key: string, ttlMs: number): Statement {
  const text = `${insertEntry}
    on conflict (key) do update set
      value = case when kv.expires_at > now() then (kv.value::bigint + 1)::text else excluded.value end,
      expires_at = case when kv.expires_at > now() then kv.expires_at else excluded.expires_at end
    returning value::bigint as count, extract(epoch from expires_at - now())::float8 * 1000 as expires_in_ms`
  return { name: 'keyvalue.increment', text, values: [key, '1', ttlMs] }
}

// Locks the rows against writers, so that a row that was given a new value meanwhile is looked at again and kept; the
// array is made once, where a join might read the limited rows again.
function sweepStatement(limit: number): Statement {
  const text = `delete from headrace.keyvalue where key = any(array(
    select key from headrace.keyvalue where expires_at <= now() order by expires_at limit $1 for update skip locked))`
  return { name: 'keyvalue.sweep', text, values: [limit] }
}

function counterOf(rows: readonly CounterRow[]): Counter {
  const row = rows[0]
  if (row === undefined) throw new Error('keyvalue.increment returned no row')
  return { count: row.count, expiresInMs: Math.max(1, Math.ceil(row.expires_in_ms)) }
}

function requireEntry(key: string, value: string, ttl: { readonly ttlMs: number }): void {
  requireKey(key)
  requireValue(value)
  requireTtl(ttl)
}

async function send<R extends object>(database: KeyValueDatabase, statement: Statement): Promise<Rows<R>> {
  try {
    return await database.query<R>(statement)
  } catch (error) {
    throw wrapStoreError(error)
  }
}

/** Class 22 (data exception) can only come from `increment`: a value that is no integer, or the largest one. */
function wrapStoreError(error: unknown): unknown {
  const state = sqlState(error)
  if (state?.startsWith('22')) return new TypeError('the value is no integer that can be counted up', { cause: error })
  // A statement that ran into its time limit (57014) was not answered either.
  if (!isInfrastructureError(error) && state !== '57014') return error
  const message = `the key-value store is not available: ${messageOf(error)}`
  return new PlatformError('KEYVALUE_UNAVAILABLE', message, { cause: error })
}
