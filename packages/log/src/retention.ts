import { type Database, openDatabase, type Queryable } from '@headrace/database'
import { type FaultPoints, type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'

/** Hours for which children are attached ahead of time. */
const aheadHours = 24

export interface RetentionOptions {
  /** Messages are kept at least this long, in ms; default 24 h. Smallest step: a child of one hour. */
  readonly retentionMs: number
  /** Time between two passes in ms; default 60 000. */
  readonly everyMs?: number
}

export interface RetentionNeeds {
  readonly database: Database
  readonly faults: FaultPoints
  readonly onError: OnBackgroundError
}

/** Key of the advisory lock between retention and the start of a new lane: neither may miss the other. */
export const retentionLock = 0x68726c72

/** Key of the advisory lock of attaching; another one, because appends depend on attaching, and detaching may wait. */
const attachLock = retentionLock + 1

/** How long a detach waits for whoever has the log open, in ms; the next pass finishes it. Lanes cannot start meanwhile. */
const detachPatienceMs = 10_000

/** Attaches children ahead of time and drops those that are old and passed by all groups. Never deletes rows. */
export function startRetention(needs: RetentionNeeds, options: RetentionOptions): Running {
  return startLoop({
    name: 'log retention',
    async run(signal) {
      await sleep(options.everyMs ?? 60_000, signal)
      if (signal.aborted) return
      await attachChildren(needs.database)
      await dropPassedChildren(needs, options.retentionMs, signal).catch((error: unknown) => {
        // What was cut short by the stop is finished by the next pass of whoever runs.
        if (!signal.aborted) throw error
      })
    },
    onError: needs.onError,
  })
}

/**
 * Makes the children of this hour and the next 24. Each is made apart and then attached: creating it as a partition
 * would stall every append behind one open reader.
 */
export async function attachChildren(database: Database): Promise<void> {
  await database.inTransaction(async (tx) => {
    await tx.query({ text: `select pg_advisory_xact_lock(${attachLock})` })
    const { rows } = await tx.query<{ name: string; lower: string; upper: string }>({
      text: `select to_char(h at time zone 'utc', '"log_"YYYYMMDDHH24') as name, h::text as lower,
                    (h + interval '1 hour')::text as upper
             from generate_series(date_trunc('hour', now(), 'utc') - interval '1 hour',
                                  date_trunc('hour', now(), 'utc') + interval '${aheadHours} hours', '1 hour') as h
             where not exists (
               select from pg_inherits i join pg_class c on c.oid = i.inhrelid
               where i.inhparent = 'headrace.log'::regclass
                 and c.relname = to_char(h at time zone 'utc', '"log_"YYYYMMDDHH24'))`,
    })
    for (const { name, lower, upper } of rows) {
      await tx.query({
        text: `create table if not exists headrace.${name} (like headrace.log including all);
               alter table headrace.log attach partition headrace.${name} for values from ('${lower}') to ('${upper}')`,
      })
    }
  })
}

/** When the oldest child begins: what was appended before is dropped. */
export async function heldSince(database: Queryable): Promise<Date | undefined> {
  const text = `select to_timestamp(min(relname) || '+00', '"log_"YYYYMMDDHH24TZH') as since
                from pg_inherits join pg_class on oid = inhrelid where inhparent = 'headrace.log'::regclass`
  const { rows } = await database.query<{ since: Date }>({ text })
  return rows[0]?.since
}

/** Children whose time is over, oldest first. */
async function expiredChildren(database: Queryable, retentionMs: number): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>({
    text: `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
           where i.inhparent = 'headrace.log'::regclass and not i.inhdetachpending
             and c.relname < to_char((now() - $1 * interval '1 ms') at time zone 'utc' - interval '1 hour',
                                     '"log_"YYYYMMDDHH24')
           order by c.relname`,
    values: [retentionMs],
  })
  return rows.map(({ name }) => name)
}

/**
 * Drops expired children as long as every group and every reader elsewhere has passed all that they hold. Detaching is
 * concurrent, so that no append waits; one that a crash or an open reader left pending is finished first, or all later
 * ones fail. Throws 57014 while somebody has the log open for long, or when the signal aborts.
 */
export async function dropPassedChildren(
  needs: RetentionNeeds,
  retentionMs: number,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  if (!(await hasWork(needs.database, retentionMs))) return []
  // Detaching concurrently cannot run in a transaction. The lock lives as long as this one connection: no lane starts
  // between the look at the cursors and the detach, and no other process does the same.
  await using own = openDatabase({ url: needs.database.url, maxConnections: 1, statementTimeoutMs: detachPatienceMs })
  const { rows } = await own.query<{ locked: boolean; pid: number }>({
    text: `select pg_try_advisory_lock(${retentionLock}) as locked, pg_backend_pid() as pid`,
  })
  if (rows[0]?.locked !== true) return []
  const { pid } = rows[0]
  const cancel = () => {
    needs.database.query({ text: 'select pg_cancel_backend($1)', values: [pid] }).catch(() => undefined)
  }
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    return await dropLocked(own, needs.faults, { retentionMs, signal })
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

async function dropLocked(
  own: Queryable,
  faults: FaultPoints,
  { retentionMs, signal }: { readonly retentionMs: number; readonly signal: AbortSignal | undefined },
): Promise<readonly string[]> {
  const dropped: string[] = []
  await finishPendingDetach(own)
  await dropDetached(own)
  for (const child of await expiredChildren(own, retentionMs)) {
    if (signal?.aborted || !(await passedByAll(own, child))) break
    await own.query({ text: `alter table headrace.log detach partition headrace.${child} concurrently` })
    await faults.at('retention.after-detach')
    await own.query({ text: `drop table headrace.${child}` })
    dropped.push(child)
  }
  return dropped
}

/** A look over the pool, so that a connection of its own is opened only for something to do. */
async function hasWork(database: Queryable, retentionMs: number): Promise<boolean> {
  const [pending, detached, expired] = [
    await pendingDetaches(database),
    await detachedChildren(database),
    await expiredChildren(database, retentionMs),
  ]
  return pending.length + detached.length + expired.length > 0
}

async function pendingDetaches(database: Queryable): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>({
    text: `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
           where i.inhparent = 'headrace.log'::regclass and i.inhdetachpending`,
  })
  return rows.map(({ name }) => name)
}

async function finishPendingDetach(database: Queryable): Promise<void> {
  for (const name of await pendingDetaches(database)) {
    await database.query({ text: `alter table headrace.log detach partition headrace.${name} finalize` })
  }
}

/** Children that were detached and, because of a crash, not dropped. */
async function detachedChildren(database: Queryable): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>({
    text: `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname = 'headrace' and c.relkind = 'r' and c.relname ~ '^log_[0-9]{10}$'
             and not exists (select from pg_inherits i where i.inhrelid = c.oid)
             and c.relname < to_char(now() at time zone 'utc' - interval '1 hour', '"log_"YYYYMMDDHH24')`,
  })
  return rows.map(({ name }) => name)
}

async function dropDetached(database: Queryable): Promise<void> {
  for (const name of await detachedChildren(database)) await database.query({ text: `drop table headrace.${name}` })
}

/**
 * True when every registered group (`log_cursor` lists lanes here and readers elsewhere) stands behind the last message
 * of the child in each of its partitions.
 */
async function passedByAll(database: Queryable, child: string): Promise<boolean> {
  const { rows } = await database.query<{ waiting: boolean }>({
    text: `select exists (
             select from headrace.log_cursor c
             cross join lateral (select max("offset") as last from headrace.${child} held
                                 where held.topic = c.topic and held.partition = c.partition) as held
             where c.position < held.last) as waiting`,
  })
  return rows[0]?.waiting === false
}
