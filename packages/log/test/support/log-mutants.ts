import { appendCollector } from '../../src/append.ts'
import type { LogTransaction, NewMessage } from '../../src/index.ts'
import type { LogProcess } from './process.ts'

/** The source of `headrace.log_append`, with one thing changed. */
async function rewriteAppend({ database }: LogProcess, change: (source: string) => string): Promise<void> {
  const { rows } = await database.query<{ source: string }>({
    text: `select pg_get_functiondef('headrace.log_append'::regproc) as source`,
  })
  const source = rows[0]?.source ?? ''
  const mutant = change(source)
  if (mutant === source) throw new Error('the mutant is the original')
  await database.query({ text: mutant })
}

/** Offsets drawn from a sequence at the insert, with no lock until the commit. */
export async function sequenceOffsets(process: LogProcess): Promise<void> {
  await process.database.query({
    text: `do $$ begin
             for p in 0..15 loop execute format('create sequence headrace.s_%s', p); end loop;
             for p in 0..15 loop execute format('create sequence headrace.s_orders_%s', p); end loop;
             for p in 0..15 loop execute format('create sequence headrace.s_audit_%s', p); end loop;
             for p in 0..15 loop execute format('create sequence headrace.s_payments_%s', p); end loop;
           end $$`,
  })
  await rewriteAppend(process, (source) => {
    const begin = source.indexOf('  if slots > 1')
    const end = source.indexOf('  if coalesce(')
    const drawn = `
      select array_agg(nextval(format('headrace.s_%s_%s', t.topic, t.partition)) order by t.slot),
             array_agg(clock_timestamp() order by t.slot)
        into bases, moments from unnest(p_topics, p_partitions) with ordinality as t(topic, partition, slot);\n`
    return source.slice(0, begin) + drawn + source.slice(end)
  })
}

/** Heads locked in whatever order they come. */
export function headsInArrivalOrder(process: LogProcess): Promise<void> {
  return rewriteAppend(process, (source) => source.replace('order by h.topic, h.partition', 'order by random()'))
}

/** Messages that bear the time at which their transaction began. */
export function timeOfBegin(process: LogProcess): Promise<void> {
  return rewriteAppend(process, (source) => source.replace('greatest(h.last_at, clock_timestamp())', 'now()'))
}

/** Appends at once and not with COMMIT: heads are then held across what the caller does next. */
export async function appendAtOnce(tx: LogTransaction, message: NewMessage): Promise<void> {
  const collector = appendCollector({ message() {}, committed() {} })
  await tx.query(collector.statement([message]))
}
