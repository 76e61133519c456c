import type { Queryable } from '@headrace/database'
import type { BreakerState } from './breaker.ts'

/** How far a provider is with a topic. */
export interface RelayStatus {
  readonly provider: string
  readonly topic: string
  /** Messages ever appended. */
  readonly head: number
  /** Where the relay stands, summed over the partitions as the head is. */
  readonly cursor: number
  /** Messages that the provider does not have yet: head − cursor. */
  readonly lag: number
  /** Messages that it has confirmed since its relay began: cursor − base. */
  readonly published: number
  /** Messages that the provider has and the slowest group has not taken yet. */
  readonly undrained: number
  /** False once the provider is not configured any more: then it is only read until it is drained. */
  readonly active: boolean
  /** What the relay last said of the provider; `closed` is well. */
  readonly breaker: BreakerState
  readonly lastError: string | null
  readonly lastErrorAt: Date | null
}

/** A relay says again every second what is wrong; what is older than this comes from a process that is gone, in ms. */
const staleMs = 15_000

/** The status of every relay that this database's log has or had. */
export async function relayStatus(database: Queryable): Promise<RelayStatus[]> {
  const { rows } = await database.query<RelayStatus>({
    name: 'relay.status',
    text: `with slowest as (
             select topic, partition, min(position) as position from headrace.log_cursor
             where group_name not like 'relay:%' group by 1, 2),
           relays as (
             select c.provider, c.topic, bool_or(c.active) as active,
               sum(h.next_offset - 1)::bigint as head, sum(c.position)::bigint as cursor, sum(c.position - c.base)::bigint as published,
               sum(greatest(0, c.position - s.position))::bigint as undrained
             from headrace.relay_cursor c
             join headrace.log_head h on h.topic = c.topic and h.partition = c.partition
             left join slowest s on s.topic = c.topic and s.partition = c.partition
             group by 1, 2)
           select r.provider, r.topic, r.head, r.cursor, r.head - r.cursor as lag, r.published, coalesce(r.undrained, 0) as undrained,
             r.active,
             case when w.at > clock_timestamp() - interval '${staleMs} ms' then w.state else 'closed' end as breaker,
             w.error as "lastError", w.error_at as "lastErrorAt"
           from relays r left join headrace.relay_health w using (provider, topic)
           order by r.topic, r.provider`,
  })
  return rows
}

/** What a topic's log holds: messages ever appended, and those that the slowest group has not taken, or queued. */
export async function logStatus(database: Queryable, topic: string): Promise<{ published: number; size: number }> {
  const { rows } = await database.query<{ published: number; size: number }>({
    name: 'relay.log-status',
    text: `with queued as (select count(*) as count from headrace.parked_message
             where topic = $1 and state = 'queued' group by group_name)
           select coalesce(sum(h.next_offset - 1), 0)::bigint as published,
             (coalesce(sum(h.next_offset - 1 - coalesce(s.position, 0)), 0)
              + coalesce((select max(count) from queued), 0))::bigint as size
           from headrace.log_head h
           left join lateral (select min(position) as position from headrace.log_cursor c
             where c.topic = h.topic and c.partition = h.partition and group_name not like 'relay:%') as s on true
           where h.topic = $1`,
    values: [topic],
  })
  return rows[0] ?? { published: 0, size: 0 }
}
