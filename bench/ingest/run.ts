// Accepting over HTTP: Headrace, durable and with its consumers running, beside a Fastify that stores nothing and one
// that commits each request. Loss and doubles are counted in the same run.
import { parseArgs } from 'node:util'
import { startEmbeddedServer } from '@headrace/database'
import { freePorts, peakMemory } from '../../tests/support/headrace.ts'
import { openReport } from '../lib/report.ts'
import { shown } from '../lib/statistics.ts'
import { inDirectory, lookInside, queueSize, sampled, untilDone } from './audit.ts'
import { type LoadResult, load } from './load.ts'
import { type Server, startProduct, startScript } from './process.ts'
import { compareQueues } from './queues.ts'

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    clients: { type: 'string', default: '32' },
    rate: { type: 'string', default: '12000' },
    rounds: { type: 'string', default: '3' },
    queues: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
})
const seconds = Number(flags.seconds)
const clients = Number(flags.clients)
const rounds = Number(flags.rounds)
const command = `node bench/run.ts ingest ${process.argv.slice(2).join(' ')}`.trim()
const report = openReport(flags.queues ? 'ingest-queues' : 'ingest', command)
if (flags.queues) {
  await compareQueues(report, { seconds, clients, rounds, ...(flags.only === undefined ? {} : { only: flags.only }) })
} else await compare()
report.finish()

/** In turn, so that a machine whose speed drifts treats all alike. */
async function compare(): Promise<void> {
  for (let round = 1; round <= rounds; round += 1) {
    report.note(`round ${round}`)
    await bare()
    await transactionEach()
    await headrace('as fast as possible')
    await headrace('sustained', Number(flags.rate))
  }
}

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
    const isDrained = async () => (await queueSize(server)) === 0
    await untilDone('the backlog is worked off', isDrained)
    const backlog = sampled(() => queueSize(server))
    const result = await load({ url: server.url, clients, seconds, ...(rate === undefined ? {} : { rate }) })
    const samples = (await backlog.stop()).map((size) => size ?? Number.NaN)
    const left = (await queueSize(server)) ?? Number.NaN
    const drainMs = await untilDone('the backlog is worked off', isDrained)
    await using inside = await lookInside(directory)
    const audit = await inside.audit()
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
