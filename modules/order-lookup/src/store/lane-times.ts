import type { Queryable } from '@headrace/database'
import { type Lane, type LaneTime, laneName } from '../domain/versions.ts'

interface LaneTimeRow {
  readonly now_ms: number
  readonly origin: string | null
  readonly partition: number | null
  readonly at: number
  readonly last_offset: number
}

/** The latest time of each of these lanes, by `laneName`, and the database's clock, in ms since the epoch. */
export async function readLaneTimes(
  tx: Queryable,
  topic: string,
  lanes: readonly Lane[],
): Promise<{ readonly nowMs: number; readonly times: Map<string, LaneTime> }> {
  const { rows } = await tx.query<LaneTimeRow>({
    name: 'order-lookup.lane-times',
    text: `select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms, t.origin, t.partition, t.at,
             t.last_offset
           from (select) one left join order_lookup.lane_time t on t.topic = $1
             and (t.origin, t.partition) in (select * from unnest($2::text[], $3::int[]))`,
    values: [topic, lanes.map(({ origin }) => origin), lanes.map(({ partition }) => partition)],
  })
  const known = rows.flatMap(({ origin, partition, at, last_offset }): LaneTime[] =>
    origin === null || partition === null ? [] : [{ atMs: at, origin, partition, offset: last_offset }],
  )
  return { nowMs: rows[0]?.now_ms ?? 0, times: new Map(known.map((time) => [laneName(time), time])) }
}

/** Moves the lanes' times, none of them back: late messages are handled beside their lanes. Locks them sorted. */
export async function moveLaneTimes(tx: Queryable, topic: string, times: readonly LaneTime[]): Promise<void> {
  await tx.query({
    name: 'order-lookup.move-lane-times',
    text: `insert into order_lookup.lane_time as t (topic, origin, partition, at, last_offset)
           select $1, * from unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[]) order by 2, 3
           on conflict (topic, origin, partition) do update set at = greatest(t.at, excluded.at),
             last_offset = greatest(t.last_offset, excluded.last_offset)`,
    values: [
      topic,
      times.map(({ origin }) => origin),
      times.map(({ partition }) => partition),
      times.map(({ atMs }) => atMs),
      times.map(({ offset }) => offset),
    ],
  })
}
