import type { Queryable } from '@headrace/database'
import type { CarriedMessage, LogRange } from '@headrace/transport'
import { decodeHeaders } from './append.ts'
import type { LogRecord } from './types.ts'

interface RecordRow {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly at_ms: number
  readonly key: string
  readonly message_id: string
  readonly type: string
  readonly headers: string
  readonly body: Buffer
}

const columns = `topic, partition, "offset", (extract(epoch from at) * 1000)::float8 as at_ms,
  key, message_id, type, headers, body`

/**
 * Reads by range, because offsets are gapless: the plan depends neither on statistics nor on the backlog. `at` prunes
 * the children that are older than the reader and those made ahead of time (0.25 ms of a read). The sum of bytes ends
 * the batch, which holds at least one message. Messages more than an hour younger than `untilMs` and the clock, which
 * there are only after the clock was set back, are left out.
 */
export async function readRange(
  database: Queryable,
  logId: string,
  range: LogRange & { readonly untilMs?: number },
): Promise<CarriedMessage[]> {
  const { topic, partition, from, sinceMs, maxMessages, maxBytes } = range
  const { rows } = await database.query<RecordRow>({
    name: 'log.read',
    text: `select ${columns} from (
             select l.*, sum(bytes) over (order by "offset") as running from headrace.log l
             where topic = $1 and partition = $2 and "offset" >= $3 and "offset" < $3::bigint + $4::int
               and at >= to_timestamp($5::float8 / 1000)
               and at < greatest(now(), to_timestamp($7::float8 / 1000)) + interval '1 hour'
           ) as ranged
           where running <= $6 or running = bytes
           order by "offset"`,
    // A millisecond back: the time was rounded on its way here.
    values: [topic, partition, from, maxMessages, sinceMs - 1, maxBytes, range.untilMs ?? sinceMs],
  })
  return rows.map((row) => toCarried(row, logId))
}

/** The first offset still held, or the head where nothing is. */
export async function firstOffsetOf(database: Queryable, topic: string, partition: number): Promise<number> {
  const { rows } = await database.query<{ first: number }>({
    name: 'log.first-offset',
    text: `select coalesce(
             (select min("offset") from headrace.log where topic = $1 and partition = $2),
             (select next_offset from headrace.log_head where topic = $1 and partition = $2), 1) as first`,
    values: [topic, partition],
  })
  return rows[0]?.first ?? 1
}

/** The first record with a message id. */
export async function findById(
  database: Queryable,
  logId: string,
  topic: string,
  messageId: string,
): Promise<LogRecord | undefined> {
  const { rows } = await database.query<RecordRow>({
    name: 'log.find',
    text: `select ${columns} from headrace.log where message_id = $1 and topic = $2 order by at, "offset" limit 1`,
    values: [messageId, topic],
  })
  const row = rows[0]
  return row && { ...toCarried(row, logId), topic: row.topic, partition: row.partition }
}

function toCarried(row: RecordRow, log: string): CarriedMessage {
  return {
    id: row.message_id,
    key: row.key,
    type: row.type,
    headers: decodeHeaders(row.headers),
    body: row.body,
    position: row.offset,
    at: row.at_ms,
    origin: { log, partition: row.partition, offset: row.offset },
  }
}
