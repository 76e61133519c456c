// From a waiting message to its handler: Headrace beside graphile-worker, pg-boss and, where Redis is up, BullMQ.
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { startEmbeddedServer } from '@headrace/database'
import pg from 'pg'
import { openReport } from '../lib/report.ts'
import { shown } from '../lib/statistics.ts'

const { values: flags } = parseArgs({
  options: {
    big: { type: 'string', default: '1000000' },
    small: { type: 'string', default: '100000' },
    only: { type: 'string', default: 'headrace,headrace-apart,graphile-worker,pg-boss,bullmq' },
    rounds: { type: 'string', default: '1' },
  },
})
const run = promisify(execFile)
const child = fileURLToPath(new URL('child.ts', import.meta.url))
const limitMs = 30_000

const hasRedis = await answers(6379)
const contenders = flags.only.split(',').filter((name) => name !== 'bullmq' || hasRedis)
const report = openReport(
  'log-to-handler',
  `node bench/run.ts log-to-handler ${process.argv.slice(2).join(' ')}`.trim(),
)
if (!hasRedis) report.note('bullmq left out: no Redis on 127.0.0.1:6379')

const directory = await mkdtemp(join(process.cwd(), '.headrace-bench-'))
const server = await startEmbeddedServer({ dataDirectory: directory })
try {
  for (let round = 0; round < Number(flags.rounds); round += 1) {
    for (const backlog of [Number(flags.small), Number(flags.big)]) {
      for (const [mode, effect] of [
        ['batch', true],
        ['batch', false],
        ['single', true],
      ] as const) {
        for (const contender of contenders)
          if (contender !== 'headrace-apart') await throughput(contender, { backlog, mode, effect })
      }
    }
    for (const contender of contenders) await latency(contender)
  }
} finally {
  await server.stop()
  await rm(directory, { recursive: true, force: true })
}
report.finish()

interface Measured {
  readonly [figure: string]: number
}

async function measure(order: Record<string, unknown>): Promise<Measured> {
  const name = `bench_${Math.random().toString(36).slice(2)}`
  const admin = new pg.Client({ connectionString: server.url })
  await admin.connect()
  await admin.query(`create database ${name}`)
  try {
    const url = new URL(server.url)
    url.pathname = `/${name}`
    const { stdout } = await run(process.execPath, [child, JSON.stringify({ ...order, url: url.href })], {
      maxBuffer: 1e7,
    })
    // The child's last line is its result.
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Measured
  } finally {
    await admin.query(`drop database ${name} with (force)`)
    await admin.end()
  }
}

async function throughput(contender: string, what: { backlog: number; mode: string; effect: boolean }): Promise<void> {
  const count = Math.min(what.backlog, what.mode === 'single' ? 30_000 : 200_000)
  const result = await measure({ contender, measure: 'throughput', ...what, count, limitMs })
  report.note(JSON.stringify({ contender, ...what, ...result }))
  report.row({
    contender,
    measured: `${what.mode}, ${what.effect ? 'one-row effect' : 'no effect'}`,
    waiting: shown(what.backlog),
    'messages/s': shown(result['perSecond'] ?? Number.NaN),
    'enqueued/s': shown(result['loadPerSecond'] ?? Number.NaN),
    twice: String(result['twice']),
    'effect and completion': result['atomic'] ? 'one transaction' : 'two',
  })
}

async function latency(contender: string): Promise<void> {
  const result = await measure({
    contender,
    measure: 'latency',
    effect: false,
    mode: 'single',
    backlog: 0,
    count: 500,
    limitMs,
  })
  report.note(JSON.stringify({ contender, measure: 'latency', ...result }))
  report.row({
    contender,
    measured: 'enqueued → handler, idle',
    waiting: '0',
    'mean ms': shown(result['mean'] ?? Number.NaN),
    'p50 ms': shown(result['p50'] ?? Number.NaN),
    'p99 ms': shown(result['p99'] ?? Number.NaN),
  })
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket
      .once('connect', () => resolve(true))
      .once('error', () => resolve(false))
      .once('close', () => socket.destroy())
    socket.once('connect', () => socket.end())
  })
}
