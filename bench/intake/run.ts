// Order intake: from POST to 201, at rates that are held whatever comes back: all in one process with its embedded
// database, and api and worker apart over Kafka, Redis and a database each, all of the benchmark's own.
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freePorts, startHeadrace } from '../../tests/support/headrace.ts'
import { openReport } from '../lib/report.ts'
import { ownDatabase, ownKafka, ownRedis } from '../lib/servers.ts'
import { shown, summarise } from '../lib/statistics.ts'

/** The highest rate is the last one with p99 below this, in ms. */
const limitMs = 250
const deadlineMs = 120_000

const { values } = parseArgs({
  options: {
    on: { type: 'string', default: 'embedded,servers' },
    seconds: { type: 'string', default: '20' },
    rates: { type: 'string', default: '50,100,200,400,800,1200' },
  },
})
const report = openReport('intake', `node bench/run.ts intake ${process.argv.slice(2).join(' ')}`.trim())
const layouts: Readonly<Record<string, (stack: AsyncDisposableStack) => Promise<string>>> = { embedded, servers }

for (const name of values.on.split(',')) {
  const start = layouts[name]
  if (start === undefined) throw new RangeError(`--on: '${name}' is none of ${Object.keys(layouts).join(', ')}`)
  await using stack = new AsyncDisposableStack()
  await measure(name, await start(stack))
}
report.finish()

/** Returns where it answers, as `servers` does. */
async function embedded(stack: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'headrace-bench-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const [port = 0] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  const environment = { PORT: String(port), INTERNAL_PORT: '0', HEADRACE_DATA: directory }
  stack.use(await startHeadrace({ environment, args: ['--only', 'order-intake'], url, deadlineMs }))
  return url
}

async function servers(stack: AsyncDisposableStack): Promise<string> {
  const brokers = { ...(await ownKafka(stack)), ...(await ownRedis(stack)) }
  const [api, worker] = [await ownDatabase(stack), await ownDatabase(stack)]
  const [port = 0, internal = 0] = await freePorts(2)
  const [url, workerUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${internal}`]
  const shared = { ...brokers, API_POSTGRES_DSN: api, WORKER_POSTGRES_DSN: worker }
  const start = async (role: string, at: string, ports: Readonly<Record<string, string>>) => {
    const environment = { ...shared, ...ports }
    stack.use(await startHeadrace({ environment, args: ['--only', `order-intake:${role}`], url: at, deadlineMs }))
  }
  // Each reads the other's log: neither is there before the other.
  await Promise.all([
    start('api', url, { PORT: String(port), INTERNAL_PORT: '0' }),
    start('worker', workerUrl, { INTERNAL_PORT: String(internal) }),
  ])
  return url
}

async function measure(on: string, url: string): Promise<void> {
  await postAt(url, 50, 3)
  let highest = 0
  for (const rate of values.rates.split(',').map(Number)) {
    const { tookMs, failed, late } = await postAt(url, rate, Number(values.seconds))
    const { p50, p95, p99, max } = summarise(tookMs)
    report.row({
      on,
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
  report.note(`${on}: highest rate with p99 ≤ ${limitMs} ms: ${highest} orders/s`)
}

/** Posts at fixed times; whatever is no 201 counts as failed. */
async function postAt(url: string, rate: number, seconds: number) {
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
