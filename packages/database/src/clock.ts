import type { Queryable } from './types.ts'

/** The database's time in ms since the epoch: deadlines are kept by one clock, whichever replica looks. */
export async function databaseNowMs(tx: Queryable): Promise<number> {
  const { rows } = await tx.query<{ now_ms: number }>({
    name: 'database.now',
    text: 'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms',
  })
  return rows[0]?.now_ms ?? 0
}
