import { type Database, sqlState, type WakeUps } from '@headrace/database'
import { firstOffsetOf, pastOf, readHeads, readRange, retentionLock, startHeads } from '@headrace/log'
import { type OnBackgroundError, PlatformError, sleep, startLoop } from '@headrace/runtime'
import type { LogElsewhere, LogRange, PastLog } from '@headrace/transport'

/** What is needed of the other database: a role that may read the log, LISTEN, and write `headrace.log_reader`. */
export interface LogElsewhereNeeds {
  readonly database: Database
  readonly wakeUps: WakeUps
  readonly onError: OnBackgroundError
}

/** How often positions are told to the log's owner, and its incarnation is looked at, in ms. */
const tellMs = 1_000

interface Place {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly position: number
}

/**
 * The log of another database for reading. That may be away, or hold no log yet: reading then fails and is repeated by
 * whoever reads. The log's id is empty until it was reached once.
 */
export function startLogElsewhere(needs: LogElsewhereNeeds): LogElsewhere & AsyncDisposable {
  const { database, onError } = needs
  let id = ''
  let replaced = new AbortController()
  const heads = startHeads(needs)
  const moved = new Map<string, Place>()
  const tell = async () => {
    const places = [...moved.values()]
    moved.clear()
    await tellPlaces(database, places)
  }
  const look = async () => {
    const now = await incarnationOf(database)
    if (now === id) return
    // A restored copy is another log: nobody waits on for what would come next in the old one.
    id = now
    replaced.abort()
    replaced = new AbortController()
  }
  const telling = startLoop({
    name: 'log elsewhere',
    async run(signal) {
      await look()
      await sleep(tellMs, signal)
      if (!signal.aborted) await tell()
    },
    onError,
  })
  // Readers compare their places with the id.
  const reach = async () => {
    if (id === '') await look()
  }
  return {
    get id() {
      return id
    },
    async read(range: LogRange) {
      const of = id
      let records = await readRange(database, of, range)
      if (records.length === 0 && heads.reaches(range.topic, range.partition, range.from)) {
        records = await readRange(database, of, { ...range, untilMs: Number.POSITIVE_INFINITY })
      }
      // What a copy holds must not pass for the old log's: it would come again as the copy's.
      if (records.length > 0) await look()
      return of === id ? records : []
    },
    async firstOffset(topic, partition) {
      await reach()
      return firstOffsetOf(database, topic, partition)
    },
    heads: (topic) => readHeads(database, [topic]),
    available: (topic, partition, offset, signal) =>
      heads.available(topic, partition, offset, AbortSignal.any([signal, replaced.signal])),
    probe: (signal) => {
      signal.throwIfAborted()
      return incarnationOf(database).then(() => undefined)
    },
    past: (log, topic, partition) => pastLogs(database, log, `${topic}/${partition}`),
    async enter(group, topic, partition) {
      await reach()
      await enterGroup(database, group, topic, partition)
    },
    passed: (group, topic, partition, position) => {
      moved.set(`${group} ${topic} ${partition}`, { group, topic, partition, position })
    },
    async [Symbol.asyncDispose]() {
      await telling.stop()
      await tell().catch((error: unknown) => onError(error, 'log elsewhere'))
      await heads[Symbol.asyncDispose]()
    },
  }
}

async function incarnationOf(database: Database): Promise<string> {
  const noLog = (cause?: unknown) =>
    new PlatformError('DATABASE_UNAVAILABLE', 'the other database holds no log yet', { cause })
  const statement = {
    name: 'log-elsewhere.incarnation',
    text: 'select id from headrace.log_incarnation order by started_at desc limit 1',
  }
  const { rows } = await database.query<{ id: string }>(statement).catch((error: unknown) => {
    throw undefinedStates.includes(sqlState(error) ?? '') ? noLog(error) : error
  })
  const [row] = rows
  if (row === undefined) throw noLog()
  return row.id
}

/** The table is not made yet, or not even its schema. */
const undefinedStates = ['42P01', '3F000']

async function pastLogs(database: Database, log: string, place: string): Promise<PastLog[]> {
  const { rows } = await database.query<PastLog>({
    name: 'log-elsewhere.past',
    text: `with recursive ${pastOf('$1')}
           select origin, min((heads ->> $2)::bigint) over (order by n) - 1 as last from past
           where heads ? $2 order by n`,
    values: [log, place],
  })
  return rows
}

/** Under retention's own lock, so that neither misses the other. */
async function enterGroup(database: Database, group: string, topic: string, partition: number): Promise<void> {
  await database.inTransaction(async (tx) => {
    await tx.query({ text: `select pg_advisory_xact_lock(${retentionLock})` })
    await tx.query({
      text: `insert into headrace.log_reader (group_name, topic, partition, position) values ($1, $2, $3, 0)
             on conflict do nothing`,
      values: [group, topic, partition],
    })
  })
}

/** Positions never go back: an old owner may tell its own late. */
async function tellPlaces(database: Database, places: readonly Place[]): Promise<void> {
  if (places.length === 0) return
  await database.query({
    name: 'log-elsewhere.tell',
    text: `update headrace.log_reader r set position = m.position, at = now()
           from unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) as m(group_name, topic, partition, position)
           where (r.group_name, r.topic, r.partition) = (m.group_name, m.topic, m.partition)
             and r.position < m.position`,
    values: [
      places.map(({ group }) => group),
      places.map(({ topic }) => topic),
      places.map(({ partition }) => partition),
      places.map(({ position }) => position),
    ],
  })
}
