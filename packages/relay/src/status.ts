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
               sum(h.next_offset - 1)::bigint as head, sum(c.position)::bigint as cursor,
               sum(greatest(0, c.position - s.position))::bigint as undrained
             from headrace.relay_cursor c
             join headrace.log_head h on h.topic = c.topic and h.partition = c.partition
             left join slowest s on s.topic = c.topic and s.partition = c.partition
             group by 1, 2)
           select r.provider, r.topic, r.head, r.cursor, r.head - r.cursor as lag, coalesce(r.undrained, 0) as undrained,
             r.active,
             case when w.at > clock_timestamp() - interval '${staleMs} ms' then w.state else 'closed' end as breaker,
             w.error as "lastError", w.error_at as "lastErrorAt"
           from relays r left join headrace.relay_health w using (provider, topic)
           order by r.topic, r.provider`,
  })
  return rows
}
