// Orders at a rate: from the request to `paid` on the user's stream, at 50 a second and at the highest rate that holds.
// All in one process with its embedded database, then gateway, orders and payments each in a process of its own, with two
// databases on a PostgreSQL server, Kafka between them and Redis for the streams; both with every commit on disk.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startEmbeddedServer } from '@headrace/database'
import { freePorts, startHeadrace } from '../../tests/support/headrace.ts'
import { startShop } from '../../tests/support/shop-topology.ts'
import { openReport } from '../lib/report.ts'
import { shown, summarise } from '../lib/statistics.ts'
import { Client } from './customers.ts'
import { placeOrders } from './load.ts'

/** The highest rate is the last one with p99 below this, in ms. */
const limitMs = 250

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'embedded,kafka' },
    seconds: { type: 'string', default: '20' },
    customers: { type: 'string', default: '50' },
    rates: { type: 'string', default: '50,100,200,400,800,1200,1600' },
    /** Processes of orders, and of payments, over a broker. */
    replicas: { type: 'string', default: '1' },
    /** A shop that runs already. */
    url: { type: 'string' },
  },
})
const report = openReport('shop', `node bench/run.ts shop ${process.argv.slice(2).join(' ')}`.trim())
if (values.url !== undefined) await measure('as given', values.url)
else for (const shape of values.shapes.split(',')) await measureShape(shape)
report.finish()

async function measureShape(shape: string): Promise<void> {
  await using shop = await start(shape)
  await measure(shape === 'embedded' ? shape : `apart over ${shape}`, shop.url)
}

function start(shape: string): Promise<RunningShop> {
  if (shape === 'embedded') return startEmbedded()
  if (shape === 'kafka' || shape === 'nats' || shape === 'postgres') return startApart(shape, Number(values.replicas))
  throw new RangeError(`shapes: '${shape}' is none of embedded, postgres, kafka, nats`)
}

async function measure(runs: string, url: string): Promise<void> {
  const client = new Client(url)
  const load = { url, seconds: Number(values.seconds), customers: Number(values.customers) }
  await placeOrders({ ...load, rate: 50, seconds: 3 }, client)
  let highest = 0
  for (const rate of values.rates.split(',').map(Number)) {
    const measured = await placeOrders({ ...load, rate }, client)
    const paid = summarise(measured.toPaidMs)
    report.row({
      runs,
      'orders/s': String(rate),
      'to paid p50 ms': shown(paid.p50),
      p95: shown(paid.p95),
      p99: shown(paid.p99),
      max: shown(paid.max),
      'to answer p50 ms': shown(summarise(measured.toAnswerMs).p50),
      failed: String(measured.failed),
      'sent late': String(measured.late),
    })
    if (paid.p99 > limitMs || measured.failed > 0 || Number.isNaN(paid.p99)) break
    highest = rate
  }
  report.note(`${runs}: highest rate with p99 ≤ ${limitMs} ms: ${highest} orders/s`)
  client.close()
}

interface RunningShop extends AsyncDisposable {
  readonly url: string
}

async function startEmbedded(): Promise<RunningShop> {
  await using stack = new AsyncDisposableStack()
  const directory = await temporaryDirectory(stack)
  const [port = 0] = await freePorts(1)
  const environment = { PORT: String(port), INTERNAL_PORT: '0', HEADRACE_DATA: directory }
  const url = `http://127.0.0.1:${port}`
  stack.use(await startHeadrace({ environment, args: ['--only', 'payments,orders'], url, deadlineMs: 120_000 }))
  const parts = stack.move()
  return { url, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

async function startApart(carrier: 'postgres' | 'kafka' | 'nats', replicas: number): Promise<RunningShop> {
  await using stack = new AsyncDisposableStack()
  const directory = await temporaryDirectory(stack)
  const server = stack.use(await startEmbeddedServer({ dataDirectory: directory, maxConnections: 200 }))
  const { url } = stack.use(await startShop({ replicas, isDivided: true, carrier }, { databaseServer: server.url }))
  const parts = stack.move()
  return { url, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

async function temporaryDirectory(stack: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'headrace-bench-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  return directory
}
