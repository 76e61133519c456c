// Order intake: from POST to 201, at rates that are held whatever comes back. What runs is `headrace run --only
// order-intake`, embedded unless DATABASE_URL, API_POSTGRES_DSN, QUEUE_TYPE, KAFKA_BROKERS, REDIS_URL … say otherwise.
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freePorts, startHeadrace } from '../../tests/support/headrace.ts'
import { openReport } from '../lib/report.ts'
import { shown, summarise } from '../lib/statistics.ts'

/** The highest rate is the last one with p99 below this, in ms. */
const limitMs = 250

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    rates: { type: 'string', default: '50,100,200,400,800,1200' },
  },
})
const report = openReport('intake', `node bench/run.ts intake ${process.argv.slice(2).join(' ')}`.trim())
const directory = await mkdtemp(join(tmpdir(), 'headrace-bench-'))
const [port = 0] = await freePorts(1)
const url = `http://127.0.0.1:${port}`
const passed = Object.entries(process.env).filter(([name]) =>
  /^(DATABASE|API_POSTGRES|WORKER_POSTGRES|QUEUE|KAFKA|NATS|REDIS|ORDER_INTAKE)_/.test(name),
)
const environment = {
  ...Object.fromEntries(passed.map(([name, value]) => [name, value ?? ''])),
  PORT: String(port),
  INTERNAL_PORT: '0',
  HEADRACE_DATA: directory,
}
const running = await startHeadrace({ environment, args: ['--only', 'order-intake'], url, deadlineMs: 120_000 })
try {
  await postAt(50, 3)
  let highest = 0
  for (const rate of values.rates.split(',').map(Number)) {
    const { tookMs, failed, late } = await postAt(rate, Number(values.seconds))
    const { p50, p95, p99, max } = summarise(tookMs)
    report.row({
      'orders/s': String(rate),
      'to 201 p50 ms': shown(p50),
      p95: shown(p95),
      p99: shown(p99),
      max: shown(max),
      failed: String(failed),
      'sent late': String(late),
    })
    if (p99 > limitMs || failed > 0 || Number.isNaN(p99)) break
    highest = rate
  }
  report.note(`highest rate with p99 ≤ ${limitMs} ms: ${highest} orders/s`)
} finally {
  await running.stop()
  await rm(directory, { recursive: true, force: true })
}
report.finish()

/** Posts at fixed times; whatever is no 201 counts as failed. */
async function postAt(rate: number, seconds: number) {
  const user_id = randomUUID()
  const tookMs: number[] = []
  let failed = 0
  let late = 0
  const one = async (n: number) => {
    const sentAt = performance.now()
    const body = JSON.stringify({ user_id, payload: { items: [{ name: `item ${n}`, price: 4.5, qty: 2 }] } })
    const headers = { 'content-type': 'application/json' }
    const status = await fetch(`${url}/orders`, { method: 'POST', headers, body }).then(
      async (answer) => {
        await answer.arrayBuffer()
        return answer.status
      },
      () => 0,
    )
    if (status === 201) tookMs.push(performance.now() - sentAt)
    else failed += 1
  }
  const startedAt = performance.now()
  const under: Promise<void>[] = []
  for (let n = 0; n < rate * seconds; n += 1) {
    const waitMs = startedAt + (n * 1_000) / rate - performance.now()
    if (waitMs > 1) await delay(waitMs)
    if (waitMs < -50) late += 1
    under.push(one(n))
  }
  await Promise.all(under)
  return { tookMs, failed, late }
}
