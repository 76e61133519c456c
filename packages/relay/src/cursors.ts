import type { Database, Queryable } from '@headrace/database'
import { pastOf, retentionLock } from '@headrace/log'

/** One provider's relay of one topic of this database's log. */
export interface RelayPlace {
  readonly provider: string
  readonly topic: string
}

/** How far a carrier has a partition, as its owner knows it. */
export interface Cursor {
  /** The last offset of the prefix that the carrier has confirmed. */
  readonly position: number
  readonly base: number
  /** The carrier's incarnation that was written to; empty before the first sight of it. */
  readonly incarnation: string
  /** Time of the message at the position in ms since the epoch; 0 when it is not known. */
  readonly sinceMs: number
}

interface CursorRow {
  readonly partition: number
  readonly position: number
  readonly base: number
  readonly incarnation: string
  readonly since_ms: number | null
}

const columns = `c.partition, c.position, c.base, c.incarnation,
  case when c.seen_until = '-infinity' then null else extract(epoch from c.seen_until)::float8 * 1000 end as since_ms`

/** The last offset that the log does not hold any more; `h` is a row of `log_head`. */
const lost = `coalesce((select min("offset") from headrace.log l where l.topic = h.topic and l.partition = h.partition),
  h.next_offset) - 1`

/**
 * Makes the cursors of a provider that was never used for a topic, behind the least position that any group or relay
 * has recorded (none: at the head), and takes up those of one that was. One over an older incarnation of the log goes
 * on where it stood, but not beyond any head that a copy since was found with. Under retention's own lock, so that
 * neither misses the other.
 */
export async function declareCursors(database: Database, place: RelayPlace, logId: string): Promise<void> {
  await database.inTransaction(async (tx) => {
    await tx.query({ text: `select pg_advisory_xact_lock(${retentionLock})` })
    await tx.query({
      text: `insert into headrace.relay_cursor (provider, topic, partition, origin, position, base)
             select $1, h.topic, h.partition, $3, start.position, start.position from headrace.log_head h
             cross join lateral (
               select greatest(${lost}, coalesce(
                 (select min(c.position) from headrace.log_cursor c where c.topic = h.topic and c.partition = h.partition),
                 h.next_offset - 1)) as position) as start
             where h.topic = $2
             on conflict do nothing`,
      values: [place.provider, place.topic, logId],
    })
    await tx.query({
      text: `with recursive ${pastOf('$3')}
             update headrace.relay_cursor c set active = true, origin = $3, position = start.position,
               base = case when start.position > c.position then start.position else least(c.base, start.position) end
             from headrace.log_head h
             cross join lateral (
               select greatest(${lost}, case when own.origin = $3 then own.position else least(own.position,
                 (select min((p.heads ->> (h.topic || '/' || h.partition))::bigint) - 1 from past p
                  where not exists (select from past q where q.origin = own.origin and q.n < p.n))) end) as position
               from headrace.relay_cursor own
               where own.provider = $1 and own.topic = h.topic and own.partition = h.partition) as start
             where h.topic = $2 and c.provider = $1 and c.topic = h.topic and c.partition = h.partition
               and (not c.active or c.origin <> $3)`,
      values: [place.provider, place.topic, logId],
    })
  })
}

/** Says that only these providers are in use for a topic: retention waits for no other relay of it. */
export async function retireOthers(database: Queryable, topic: string, providers: readonly string[]): Promise<void> {
  await database.query({
    text: `update headrace.relay_cursor set active = false
           where topic = $1 and provider <> all($2::text[]) and active`,
    values: [topic, providers],
  })
}

/** Takes a partition's cursor over by raising its epoch; undefined when a later owner has taken it. */
export async function takeCursor(
  database: Queryable,
  place: RelayPlace,
  lease: { readonly partition: number; readonly epoch: number },
): Promise<Cursor | undefined> {
  const { rows } = await database.query<CursorRow>({
    name: 'relay.take',
    text: `update headrace.relay_cursor c set epoch = $4, updated_at = clock_timestamp()
           where provider = $1 and topic = $2 and partition = $3 and epoch <= $4
           returning ${columns}`,
    values: [place.provider, place.topic, lease.partition, lease.epoch],
  })
  return rows[0] && toCursor(rows[0])
}

/** A cursor and how far it is moved. */
export interface CursorMove {
  readonly partition: number
  readonly epoch: number
  /** Where the carrier's confirmations have brought it. */
  readonly position: number
  /** Time of the message there, in ms since the epoch. */
  readonly sinceMs: number
}

/** Moves cursors forward, each provided that its lease is still ours; returns the partitions where it is. */
export async function moveCursors(
  database: Queryable,
  place: RelayPlace,
  moves: readonly CursorMove[],
): Promise<ReadonlySet<number>> {
  const { rows } = await database.query<{ partition: number }>({
    name: 'relay.move',
    text: `update headrace.relay_cursor c
           set position = greatest(c.position, m.position), seen_until = greatest(c.seen_until, to_timestamp(m.since / 1000)),
             updated_at = clock_timestamp()
           from unnest($3::int[], $4::bigint[], $5::bigint[], $6::float8[]) as m(partition, epoch, position, since)
           where c.provider = $1 and c.topic = $2 and c.partition = m.partition and c.epoch = m.epoch
           returning c.partition`,
    values: [
      place.provider,
      place.topic,
      moves.map(({ partition }) => partition),
      moves.map(({ epoch }) => epoch),
      moves.map(({ position }) => position),
      moves.map(({ sinceMs }) => sinceMs),
    ],
  })
  return new Set(rows.map(({ partition }) => partition))
}

/** What a cursor goes back for. */
export interface GoingBack {
  readonly partition: number
  readonly epoch: number
  /** The carrier's incarnation from now on. */
  readonly incarnation: string
}

/**
 * Sets a cursor back to the least position that any group has recorded, where none has to the first message that the
 * log holds: the carrier was made anew, or has lost what it held. Undefined: fenced.
 */
export async function goBack(database: Queryable, place: RelayPlace, back: GoingBack): Promise<Cursor | undefined> {
  const { rows } = await database.query<CursorRow>({
    name: 'relay.go-back',
    text: `update headrace.relay_cursor c
           set position = least(c.position, start.position), base = least(c.position, start.position),
             seen_until = '-infinity', incarnation = $5, updated_at = clock_timestamp()
           from (select greatest(${lost}, coalesce(
                   (select min(g.position) from headrace.log_cursor g
                    where g.topic = h.topic and g.partition = h.partition and g.group_name <> 'relay:' || $1),
                   0)) as position
                 from headrace.log_head h where h.topic = $2 and h.partition = $3) as start
           where c.provider = $1 and c.topic = $2 and c.partition = $3 and c.epoch = $4
           returning ${columns}`,
    values: [place.provider, place.topic, back.partition, back.epoch, back.incarnation],
  })
  return rows[0] && toCursor(rows[0])
}

/** Notes the carrier's incarnation at the first sight of it. False: fenced. */
export async function noteIncarnation(database: Queryable, place: RelayPlace, seen: GoingBack): Promise<boolean> {
  const { rowCount } = await database.query({
    name: 'relay.incarnation',
    text: `update headrace.relay_cursor set incarnation = $5
           where provider = $1 and topic = $2 and partition = $3 and epoch = $4`,
    values: [place.provider, place.topic, seen.partition, seen.epoch, seen.incarnation],
  })
  return rowCount === 1
}

/** Where the relays of a topic stand, for those who wait for them. */
export async function cursorPositions(
  database: Queryable,
  topic: string,
): Promise<readonly { readonly provider: string; readonly partition: number; readonly position: number }[]> {
  const { rows } = await database.query<{ provider: string; partition: number; position: number }>({
    name: 'relay.positions',
    text: 'select provider, partition, position from headrace.relay_cursor where topic = $1 and active',
    values: [topic],
  })
  return rows
}

function toCursor(row: CursorRow): Cursor {
  return { position: row.position, base: row.base, incarnation: row.incarnation, sinceMs: row.since_ms ?? 0 }
}
