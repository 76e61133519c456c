import type { Queryable } from '@headrace/database'
import { laneName } from '../domain/versions.ts'

/** A lane of the topic. */
export interface LaneOf {
  readonly origin: string
  readonly partition: number
}

/** The latest time of each of these lanes, by `laneName`, and the database's clock, in ms since the epoch. */
export async function readLaneTimes(
  tx: Queryable,
  topic: string,
  lanes: readonly LaneOf[],
): Promise<{ readonly nowMs: number; readonly times: Map<string, number> }> {
  const { rows } = await tx.query<{ now_ms: number; origin: string | null; partition: number | null; at: number }>({
    name: 'order-lookup.lane-times',
    text: `select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms, t.origin, t.partition, t.at
           from (select) one left join order_lookup.lane_time t on t.topic = $1
             and (t.origin, t.partition) in (select * from unnest($2::text[], $3::int[]))`,
    values: [topic, lanes.map(({ origin }) => origin), lanes.map(({ partition }) => partition)],
  })
  const known = rows.flatMap(({ origin, partition, at }): [string, number][] =>
    origin === null || partition === null ? [] : [[laneName({ origin, partition }), at]],
  )
  return { nowMs: rows[0]?.now_ms ?? 0, times: new Map(known) }
}

/** Moves the lanes' times; each lane is written by one batch at a time. */
export async function moveLaneTimes(
  tx: Queryable,
  topic: string,
  lanes: readonly (LaneOf & { readonly atMs: number })[],
): Promise<void> {
  await tx.query({
    name: 'order-lookup.move-lane-times',
    text: `insert into order_lookup.lane_time as t (topic, origin, partition, at)
           select $1, * from unnest($2::text[], $3::int[], $4::bigint[])
           on conflict (topic, origin, partition) do update set at = greatest(t.at, excluded.at)`,
    values: [
      topic,
      lanes.map(({ origin }) => origin),
      lanes.map(({ partition }) => partition),
      lanes.map(({ atMs }) => atMs),
    ],
  })
}
