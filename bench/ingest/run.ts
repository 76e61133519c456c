// Accepting over HTTP: Headrace, durable and with its consumers running, beside a Fastify that stores nothing and one
// that commits each request. Loss and doubles are counted in the same run.
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runningEmbeddedServer, startEmbeddedServer } from '@headrace/database'
import pg from 'pg'
import { freePorts, peakMemory } from '../../tests/support/headrace.ts'
import { openReport } from '../lib/report.ts'
import { shown } from '../lib/statistics.ts'
import { type LoadResult, load } from './load.ts'
import { type Server, startProduct, startScript } from './process.ts'

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    clients: { type: 'string', default: '32' },
    rate: { type: 'string', default: '12000' },
    rounds: { type: 'string', default: '3' },
  },
})
const seconds = Number(flags.seconds)
const clients = Number(flags.clients)
const report = openReport('ingest', `node bench/run.ts ingest ${process.argv.slice(2).join(' ')}`.trim())

// In turn, so that a machine whose speed drifts treats all alike.
for (let round = 1; round <= Number(flags.rounds); round += 1) {
  report.note(`round ${round}`)
  await bare()
  await transactionEach()
  await headrace('as fast as possible')
  await headrace('sustained', Number(flags.rate))
}
report.finish()

async function bare(): Promise<void> {
  await using server = await startScript('bare-fastify.ts')
  await warm(server)
  const result = await load({ url: server.url, clients, seconds })
  row('bare Fastify, stores nothing', result, { memory: (await peakMemory(server.pid)).own })
}

async function transactionEach(): Promise<void> {
  await inDirectory(async (directory) => {
    await using database = await startEmbeddedServer({ dataDirectory: directory })
    await using server = await startScript('transaction-each.ts', database.url)
    await warm(server)
    const result = await load({ url: server.url, clients, seconds })
    row('one transaction per request', result, { memory: (await peakMemory(server.pid)).own })
  })
}

/** With a rate: whether the consumers keep up; without: what can be accepted while they run, and how long they need. */
async function headrace(name: string, rate?: number): Promise<void> {
  await inDirectory(async (directory) => {
    const [port = 0] = await freePorts(1)
    await using server = await startProduct(directory, port)
    await warm(server)
    await drained(server)
    const backlog = watchBacklog(server)
    const result = await load({ url: server.url, clients, seconds, ...(rate === undefined ? {} : { rate }) })
    const samples = await backlog.stop()
    const left = (await queueSize(server)) ?? Number.NaN
    const drainMs = await drained(server)
    const audit = await auditOf(directory)
    const memory = await peakMemory(server.pid)
    report.note(JSON.stringify({ backlog: samples, left, drainMs, audit, memory }))
    row(`headrace, durable, consumers running, ${name}`, result, {
      memory: memory.own,
      backlog: Math.max(...samples),
      drainMs,
      lost: audit.accepted - audit.processed,
      doubled: audit.results - audit.processed,
    })
  })
}

interface Extra {
  readonly memory: number
  readonly backlog?: number
  readonly drainMs?: number
  readonly lost?: number
  readonly doubled?: number
}

function row(contender: string, result: LoadResult, extra: Extra): void {
  report.note(result.raw)
  const optional = (value: number | undefined) => (value === undefined ? '' : shown(value))
  report.row({
    contender,
    'accepted/s': shown(result.perSecond),
    'p50 ms': shown(result.p50),
    'p95 ms': shown(result.p95),
    'p99 ms': shown(result.p99),
    refused: String(result.refused),
    'peak MiB (Node)': shown(extra.memory),
    'largest backlog': optional(extra.backlog),
    'drained ms': optional(extra.drainMs),
    lost: extra.lost === undefined ? '' : String(extra.lost),
    doubled: extra.doubled === undefined ? '' : String(extra.doubled),
    load: result.tool,
  })
}

/** Compiled code and warm caches before anything is timed. */
async function warm(server: Server): Promise<void> {
  await load({ url: server.url, clients, seconds: 3 })
}

async function queueSize(server: Server): Promise<number | undefined> {
  const answer = await fetch(`${server.url}/api/v1/status`)
  // The contract's status.
  const status = (await answer.json()) as { processor: { stats: { queue: { size: number } } | null } }
  return status.processor.stats?.queue.size
}

/** Waits until everything accepted is processed; returns how long that took in ms. */
async function drained(server: Server): Promise<number> {
  const since = performance.now()
  while (performance.now() - since < 120_000) {
    if ((await queueSize(server)) === 0) return performance.now() - since
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`the backlog was not worked off within 120 s: ${await queueSize(server)} left`)
}

function watchBacklog(server: Server): { stop(): Promise<number[]> } {
  const samples: number[] = []
  const timer = setInterval(() => {
    queueSize(server).then(
      (size) => samples.push(size ?? Number.NaN),
      () => undefined,
    )
  }, 1_000)
  return {
    async stop() {
      clearInterval(timer)
      return samples.length > 0 ? samples : [Number.NaN]
    },
  }
}

/** Counted in the database itself: messages in the log, messages with a result, and results. */
async function auditOf(directory: string): Promise<{ accepted: number; processed: number; results: number }> {
  const running = await runningEmbeddedServer(directory)
  if (running === undefined) throw new Error('the embedded server does not run')
  const client = new pg.Client({ connectionString: running.url })
  await client.connect()
  try {
    const { rows } = await client.query(`
      select (select count(*) from headrace.log)::int as accepted,
        (select count(*) from headrace.log l where exists (
          select from pipeline.result r where r.message_id = l.message_id))::int as processed,
        (select count(*) from pipeline.result)::int as results`)
    return rows[0]
  } finally {
    await client.end()
  }
}

async function inDirectory(action: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(process.cwd(), '.headrace-bench-'))
  try {
    await action(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
