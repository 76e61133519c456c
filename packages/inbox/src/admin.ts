import type { Database, Queryable } from '@headrace/database'
import { decodeHeaders } from '@headrace/log'
import { PlatformError } from '@headrace/runtime'
import { ensureParkedKeys } from './parking-store.ts'

/** How far a group is with a topic of the log, and what waits or was set aside on the way. */
export interface QueueStatus {
  readonly group: string
  readonly topic: string
  /** Messages ever appended. */
  readonly head: number
  /** Messages ever taken by the group: handled, queued or set aside. */
  readonly position: number
  /** Messages in the log that the group has not taken: head − position. */
  readonly lag: number
  /** Messages in the queue: waiting for a worker or for their next attempt. */
  readonly queued: number
  /** Messages set aside for somebody to decide. */
  readonly dead: number
  /** Keys that wait for somebody. */
  readonly blockedKeys: number
  /** Partitions that are being read, and by how many members. */
  readonly partitions: number
  readonly members: number
}

/** The status of every group and topic. */
export async function queueStatus(database: Queryable): Promise<QueueStatus[]> {
  const { rows } = await database.query<QueueStatus>({
    name: 'admin.queues',
    text: `with owned as (
             select group_name, topic, count(owner)::int as partitions, count(distinct owner)::int as members
             from headrace.lease group by 1, 2),
           parked as (
             select group_name, topic, count(*) filter (where state = 'queued') as queued,
               count(*) filter (where state = 'dead') as dead
             from headrace.parked_message group by 1, 2),
           blocked as (
             select group_name, topic, count(*) as keys from headrace.parked_key where state = 'blocked' group by 1, 2),
           cursors as (
             select c.group_name, c.topic, sum(h.next_offset - 1)::bigint as head, sum(c.position)::bigint as position
             from headrace.log_cursor c join headrace.log_head h on h.topic = c.topic and h.partition = c.partition
             group by 1, 2)
           select o.group_name as "group", o.topic, coalesce(c.head, 0) as head, coalesce(c.position, 0) as position,
             coalesce(c.head - c.position, 0) as lag, coalesce(p.queued, 0) as queued, coalesce(p.dead, 0) as dead,
             coalesce(b.keys, 0) as "blockedKeys", o.partitions, o.members
           from owned o
           left join cursors c using (group_name, topic)
           left join parked p using (group_name, topic)
           left join blocked b using (group_name, topic)
           order by o.group_name, o.topic`,
  })
  return rows
}

/** A message that waits or was set aside, as people see it. */
export interface ParkedView {
  readonly seq: number
  readonly group: string
  readonly topic: string
  readonly key: string
  /** `queued` (it will run), `dead` (it will not), or `blocked` (its key waits behind a dead message). */
  readonly state: 'queued' | 'dead' | 'blocked'
  readonly messageId: string
  readonly type: string
  readonly attempts: number
  readonly code: string | null
  readonly error: string | null
  readonly parkedAt: Date
  readonly nextTryAt: Date | null
}

export interface ParkedFilter {
  readonly group?: string
  readonly topic?: string
  readonly key?: string
  readonly messageId?: string
  /** Also messages that were never tried and only wait for a worker or behind their key. */
  readonly untried?: boolean
  /** Continue behind this `seq`. */
  readonly after?: number
  /** 1–1 000; default 50. */
  readonly limit?: number
}

const viewColumns = `m.seq, m.group_name as "group", m.topic, m.message_key as key, m.message_id as "messageId", m.type,
  m.attempts, m.code, m.error, m.parked_at as "parkedAt", k.next_try_at as "nextTryAt",
  case when m.state = 'queued' and k.state = 'blocked' then 'blocked' else m.state end as state`
const viewTables = `headrace.parked_message m
  left join headrace.parked_key k on k.group_name = m.group_name and k.topic = m.topic and k.key = m.key`

const filterColumns = {
  group: 'm.group_name',
  topic: 'm.topic',
  key: 'm.message_key',
  messageId: 'm.message_id',
} as const

/** Messages that failed, in the order in which they were parked. */
export async function listParked(database: Queryable, filter: ParkedFilter = {}): Promise<ParkedView[]> {
  const { untried, after = 0, limit = 50, ...columns } = filter
  // Only what is asked for, so that an index can answer it.
  const asked = Object.entries(columns).filter(([, value]) => value !== undefined)
  // The names of the remaining fields are those of the filter.
  const equal = asked.map(
    ([field], index) => ` and ${filterColumns[field as keyof typeof filterColumns]} = $${index + 3}`,
  )
  const { rows } = await database.query<ParkedView>({
    text: `select ${viewColumns} from ${viewTables}
           where m.seq > $1${untried ? '' : " and (m.state = 'dead' or m.attempts > 0)"}${equal.join('')}
           order by m.seq limit $2`,
    values: [after, limit, ...asked.map(([, value]) => value)],
  })
  return rows
}

/** One parked message with its headers and body, or undefined. */
export async function showParked(
  database: Queryable,
  seq: number,
): Promise<(ParkedView & { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer }) | undefined> {
  const { rows } = await database.query<ParkedView & { headers: string; body: Buffer }>({
    text: `select ${viewColumns}, m.headers, m.body from ${viewTables} where m.seq = $1`,
    values: [seq],
  })
  const row = rows[0]
  return row && { ...row, headers: decodeHeaders(row.headers) }
}

/**
 * Sends a message back: it runs again with a full number of attempts, before those that wait behind it. Throws
 * `NOT_FOUND`.
 */
export function redriveParked(database: Database, seq: number): Promise<void> {
  return onParked(database, seq, async (tx) => {
    await tx.query({
      text: `update headrace.parked_message set state = 'queued', attempts = 0, trials = 0 where seq = $1`,
      values: [seq],
    })
  })
}

/** Throws a message away for good; its key goes on. Throws `NOT_FOUND`. */
export function dropParked(database: Database, seq: number): Promise<void> {
  return onParked(database, seq, async (tx) => {
    await tx.query({ text: 'delete from headrace.parked_message where seq = $1', values: [seq] })
  })
}

/**
 * Changes a parked message under the lock of its key and lets the key run. A key that is being worked on right now is
 * waited for: whoever works on it holds its row while committing.
 */
async function onParked(database: Database, seq: number, change: (tx: Queryable) => Promise<void>): Promise<void> {
  await database.inTransaction(async (tx) => {
    const { rows } = await tx.query<{ group_name: string; topic: string; key: string }>({
      text: 'select group_name, topic, key from headrace.parked_message where seq = $1',
      values: [seq],
    })
    const row = rows[0]
    if (row === undefined) throw new PlatformError('NOT_FOUND', `no parked message ${seq}`)
    await ensureParkedKeys(tx, { group: row.group_name, topic: row.topic }, [row.key], 0)
    // A key blocks behind the message that died last: deciding about another one leaves it as it is.
    await tx.query({
      text: `update headrace.parked_key k set next_try_at = clock_timestamp(),
               state = case when exists (
                 select from headrace.parked_message decided
                 left join headrace.parked_message later on later.group_name = decided.group_name
                   and later.topic = decided.topic and later.key = decided.key and later.state = 'dead'
                   and later.code <> 'POISON_MESSAGE' and later.parked_at > decided.parked_at
                 where decided.seq = $4 and (decided.state = 'queued' or later.seq is not null))
               then k.state else 'ready' end
             where group_name = $1 and topic = $2 and key = $3`,
      values: [row.group_name, row.topic, row.key, seq],
    })
    await change(tx)
  })
}
