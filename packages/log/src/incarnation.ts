import { randomUUID } from 'node:crypto'
import type { Database } from '@headrace/database'

/**
 * The log's incarnation: a UUID, made at the first start and again when the database turns out to be a copy (another
 * cluster or database, or another timeline after a recovery), which may have lost what consumers elsewhere have already seen. The
 * new one keeps the heads that it found.
 */
export async function currentIncarnation(database: Database): Promise<string> {
  return database.inTransaction(async (tx) => {
    // One process at a time; released with the transaction.
    await tx.query({ text: 'lock table headrace.log_incarnation in share row exclusive mode' })
    const { rows } = await tx.query<{ cluster: string; id: string | null; known: string | null }>({
      text: `select concat_ws('/', s.system_identifier, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), d.oid) as cluster,
               i.id, i.cluster as known
             from pg_control_system() s join pg_database d on d.datname = current_database()
             left join lateral (select id, cluster from headrace.log_incarnation order by started_at desc limit 1) i on true`,
    })
    const row = rows[0]
    if (row?.id && row.known === row.cluster) return row.id
    const id = randomUUID()
    await tx.query({
      // Later than all others, also on a machine whose clock is behind: the latest is the one in force.
      text: `insert into headrace.log_incarnation (id, cluster, predecessor, predecessor_heads, started_at)
             select $1, $2, $3, coalesce(jsonb_object_agg(topic || '/' || partition, next_offset), '{}'),
               (select greatest(now(), max(started_at) + interval '1 microsecond') from headrace.log_incarnation)
             from headrace.log_head`,
      values: [id, row?.cluster ?? '', row?.id ?? null],
    })
    return id
  })
}

/**
 * SQL after `with recursive`: `past (origin, n, heads)` has the incarnations before the log with this id (a parameter),
 * the latest as n = 1, each with the next offsets that its successor found, by `topic/partition`.
 */
export const pastOf = (id: string) => `past (origin, n, heads) as (
  select predecessor::text, 1, predecessor_heads from headrace.log_incarnation where id::text = ${id} union all
  select i.predecessor::text, n + 1, i.predecessor_heads from past join headrace.log_incarnation i on i.id::text = origin)`
