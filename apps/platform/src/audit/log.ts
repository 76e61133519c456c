import type { Queryable } from '@headrace/database'
import type { CheckedRule } from './rule.ts'

/** Each statement gives one row: how many it looked at, and the ids that are wrong. */
const rules: readonly { readonly rule: string; readonly text: string }[] = [
  {
    rule: 'the log is gapless up to its heads',
    text: `select coalesce(sum(l.n), 0)::bigint as checked,
             coalesce((array_agg(l.topic || '/' || l.partition)
               filter (where l.n <> l.hi - l.lo + 1 or l.hi <> h.next_offset - 1))[:1000], '{}') as wrong
           from (select topic, partition, min("offset") as lo, max("offset") as hi, count(*) as n
                 from headrace.log group by 1, 2) as l
           join headrace.log_head h on h.topic = l.topic and h.partition = l.partition`,
  },
  {
    rule: 'no lane is ahead of its log',
    text: `select count(*) as checked,
             coalesce((array_agg(c.group_name || ' ' || c.topic || '/' || c.partition)
               filter (where c.position >= h.next_offset))[:1000], '{}') as wrong
           from headrace.log_cursor c
           join headrace.log_head h on h.topic = c.topic and h.partition = c.partition`,
  },
  {
    rule: 'nothing is set aside or blocked (headrace parked list)',
    text: `select count(*) as checked,
             coalesce((array_agg(m.seq::text order by m.seq)
               filter (where m.state = 'dead' or k.state = 'blocked'))[:1000], '{}') as wrong
           from headrace.parked_message m
           left join headrace.parked_key k on k.group_name = m.group_name and k.topic = m.topic and k.key = m.key`,
  },
  {
    rule: 'every live stream is numbered without holes up to its head',
    text: `select coalesce(sum(e.n), 0)::bigint as checked,
             coalesce((array_agg(subject)
               filter (where e.n is null or e.n <> e.hi - e.lo + 1 or e.hi is distinct from h.seq))[:1000], '{}') as wrong
           from (select subject, min(seq) as lo, max(seq) as hi, count(*) as n
                 from headrace.live_event group by 1) as e
           full join headrace.live_head h using (subject)
           -- Events are kept for a day; a head stays for ever.
           where e.n is not null or h.last_at > now() - interval '23 hours'`,
  },
]

/** Checks what every database has: its log, the lanes over it, what is parked, and its live streams. */
export async function auditLog(database: Queryable): Promise<CheckedRule[]> {
  const checked: CheckedRule[] = []
  for (const { rule, text } of rules) {
    const { rows } = await database.query<{ checked: number; wrong: string[] }>({ text })
    checked.push({ rule, checked: rows[0]?.checked ?? 0, wrong: rows[0]?.wrong ?? [] })
  }
  return checked
}
