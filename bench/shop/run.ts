// Orders at a rate: from the request to `paid` on the user's stream, at 50 a second and at the highest rate that holds.
// What runs is `headrace run --only payments,orders`, embedded unless DATABASE_URL, QUEUE_TYPE, REDIS_URL … say otherwise.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { freePorts, startHeadrace } from '../../tests/support/headrace.ts'
import { openReport } from '../lib/report.ts'
import { shown, summarise } from '../lib/statistics.ts'
import { Client } from './customers.ts'
import { placeOrders } from './load.ts'

/** The highest rate is the last one with p99 below this, in ms. */
const limitMs = 250

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    customers: { type: 'string', default: '50' },
    rates: { type: 'string', default: '50,100,200,400,800,1200,1600' },
    url: { type: 'string' },
  },
})
const seconds = Number(values.seconds)
const report = openReport('shop', `node bench/run.ts shop ${process.argv.slice(2).join(' ')}`.trim())
await using shop = await startShop(values.url)
const client = new Client(shop.url)
await placeOrders({ url: shop.url, rate: 50, seconds: 3, customers: 10 }, client)
let highest = 0
for (const rate of values.rates.split(',').map(Number)) {
  const measured = await placeOrders({ url: shop.url, rate, seconds, customers: Number(values.customers) }, client)
  const paid = summarise(measured.toPaidMs)
  const answered = summarise(measured.toAnswerMs)
  report.row({
    'orders/s': String(rate),
    'to paid p50 ms': shown(paid.p50),
    p95: shown(paid.p95),
    p99: shown(paid.p99),
    max: shown(paid.max),
    'to answer p50 ms': shown(answered.p50),
    failed: String(measured.failed),
    'sent late': String(measured.late),
  })
  if (paid.p99 > limitMs || measured.failed > 0 || Number.isNaN(paid.p99)) break
  highest = rate
}
report.note(`highest rate with p99 ≤ ${limitMs} ms: ${highest} orders/s`)
client.close()
report.finish()

interface RunningShop extends AsyncDisposable {
  readonly url: string
}

async function startShop(given: string | undefined): Promise<RunningShop> {
  if (given !== undefined) return { url: given, async [Symbol.asyncDispose]() {} }
  const directory = await mkdtemp(join(tmpdir(), 'headrace-bench-'))
  const [port = 0] = await freePorts(1)
  const passed = Object.entries(process.env).filter(([name]) =>
    /^(DATABASE|QUEUE|KAFKA|NATS|REDIS|SHOP|ORDERS|PAYMENTS)_/.test(name),
  )
  const environment = {
    ...Object.fromEntries(passed.map(([name, value]) => [name, value ?? ''])),
    PORT: String(port),
    INTERNAL_PORT: '0',
    HEADRACE_DATA: directory,
  }
  const url = `http://127.0.0.1:${port}`
  const running = await startHeadrace({ environment, args: ['--only', 'payments,orders'], url, deadlineMs: 120_000 })
  return {
    url,
    async [Symbol.asyncDispose]() {
      await running.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
