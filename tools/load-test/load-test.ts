import { type Audit, audit } from './audit.ts'
import { Client } from './client.ts'
import { type Counters, drained, readCounters } from './counters.ts'
import { type LoadTestOptions, UsageError } from './options.ts'
import { type Sent, send } from './send.ts'

/** Sends, waits, counts and reports; returns the exit code: 1 when something was lost, doubled or not accepted at all. */
export async function loadTest(options: LoadTestOptions): Promise<number> {
  const client = new Client({ url: options.url, token: options.token, connections: options.concurrency })
  try {
    const before = await reach(client, options.url)
    const sent = await send(client, options)
    console.log(sendingReport(sent))
    if (sent.ids.length === 0) return 1
    const audited = await audit(client, sent.ids, options)
    const after = await drained(client, options.patienceMs)
    const doubled = doubledBetween(before, after, sent)
    console.log(auditReport(audited, sent.ids.length, doubled))
    return audited.lost.length > 0 || audited.sameIds > 0 || (doubled ?? 0) > 0 ? 1 : 0
  } finally {
    client.close()
  }
}

async function reach(client: Client, url: URL): Promise<Counters | undefined> {
  try {
    return await readCounters(client)
  } catch (error) {
    throw new UsageError(
      `nothing answers at ${url.href} (${error instanceof Error ? error.message : error}): start it with \`make run-local\``,
    )
  }
}

/**
 * How much more was processed than can have come from this run; undefined where it cannot be told (counters that are not
 * shown, or that began anew because the process was restarted). Requests without a clear answer may have been accepted.
 */
export function doubledBetween(
  before: Counters | undefined,
  after: Counters | undefined,
  sent: Sent,
): number | undefined {
  if (before === undefined || after === undefined || after.processed < before.processed) return undefined
  const unclear = [...sent.failures].reduce(
    (sum, [reason, count]) => (/^[45]\d\d (?!outcome_unknown)/.test(reason) ? sum : sum + count),
    0,
  )
  return Math.max(0, after.processed - before.processed - before.queued - sent.ids.length - unclear)
}

function sendingReport({ ids, failures, latenciesMs, tookMs }: Sent): string {
  const failed = [...failures.values()].reduce((sum, count) => sum + count, 0)
  const reasons = [...failures].map(([reason, count]) => `\n             ${count} × ${reason}`).join('')
  const at = (share: number) => (latenciesMs[Math.ceil(latenciesMs.length * share) - 1] ?? 0).toFixed(1)
  return `
  accepted   ${ids.length}
  failed     ${failed}${reasons}
  rate       ${Math.round((ids.length / tookMs) * 1000)} accepted/s over ${(tookMs / 1000).toFixed(2)} s
  latency    p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms
`
}

function auditReport(found: Audit, accepted: number, doubled: number | undefined): string {
  const all = found.asked === accepted ? 'all' : `a sample of ${found.asked}`
  const doubles =
    doubled === undefined ? 'not known: the processor’s counters were not shown or began anew' : String(doubled)
  return `
  asked for  ${all} of ${accepted} accepted messages
  processed  ${found.processed}, the last ${(found.tookMs / 1000).toFixed(2)} s after sending ended
  set aside  ${list(found.parked)}
  lost       ${list(found.lost)}
  doubled    ${doubles}${found.sameIds > 0 ? `; ${found.sameIds} answers gave an id that another had` : ''}
`
}

function list(ids: readonly string[]): string {
  const some = ids.slice(0, 5).map((id) => `\n             ${id}`)
  return `${ids.length}${some.join('')}${ids.length > some.length ? '\n             …' : ''}`
}
