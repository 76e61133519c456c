// Order lookup: how fast a backlog is consumed; then GETs that hit, that miss, and with Zipf access to 10 × the capacity
// while 1 % of the calls are writes; beside a Fastify that answers constant bytes.
// Embedded unless DATABASE_URL, QUEUE_TYPE, KAFKA_BROKERS … say otherwise.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import autocannon from 'autocannon'
import { freePorts, type Headrace, startHeadrace } from '../../tests/support/headrace.ts'
import { openReport } from '../lib/report.ts'
import { shown } from '../lib/statistics.ts'
import { zipf } from './zipf.ts'

const { values } = parseArgs({
  options: {
    orders: { type: 'string', default: '50000' },
    capacity: { type: 'string', default: '1000' },
    clients: { type: 'string', default: '64' },
    seconds: { type: 'string', default: '10' },
  },
})
const count = Number(values.orders)
const capacity = Number(values.capacity)
const report = openReport('lookup', `node bench/run.ts lookup ${process.argv.slice(2).join(' ')}`.trim())
const directory = await mkdtemp(join(tmpdir(), 'headrace-bench-'))
const [port = 0] = await freePorts(1)
const url = `http://127.0.0.1:${port}`
const environment = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => /^(DATABASE|QUEUE|KAFKA|NATS|REDIS|ORDER_LOOKUP)_/.test(name)),
  ),
  HEADRACE_DATA: directory,
  CACHE_CAPACITY: String(capacity),
  INTERNAL_PORT: '0',
} as Readonly<Record<string, string>>

try {
  // The first start makes the schema, so that the backlog can be written while nothing reads it.
  await (await start()).stop()
  await produce(count, 0)
  await using running = await start()
  await measureConsuming()
  const ids = await newestIds(capacity * 10)
  const hot = ids[0] ?? ''
  await measureGets('cached GET', url, () => hot)
  await using constant = await startConstant(await (await fetch(`${url}/order/${hot}`)).text())
  await measureGets('constant Fastify', constant.url, () => hot)
  let asked = 0
  await measureGets('cold GET', url, () => {
    asked += 1
    return ids[asked % ids.length] ?? ''
  })
  const draw = zipf(ids.length)
  const before = await stats()
  const writing = produce(Math.round(Number(values.seconds) * 100), 100)
  await measureGets('Zipf over 10 × capacity, 100 writes/s', url, () => ids[draw()] ?? '')
  await writing
  const after = await stats()
  const hits = after.cache.hits - before.cache.hits
  report.note(`Zipf hit rate: ${shown((100 * hits) / (hits + after.cache.misses - before.cache.misses))} %`)
  await running.stop()
} finally {
  await rm(directory, { recursive: true, force: true })
}
report.finish()

function start(): Promise<Headrace> {
  const ports = { ORDER_LOOKUP_PORT: String(port) }
  return startHeadrace({
    environment: { ...environment, ...ports },
    args: ['--only', 'order-lookup'],
    url,
    deadlineMs: 120_000,
  })
}

async function produce(orders: number, rate: number): Promise<void> {
  const script = fileURLToPath(new URL('../../tools/produce-orders.ts', import.meta.url))
  const args = [script, '--count', String(orders), '--rate', String(rate), '--invalid', '0']
  await promisify(execFile)(process.execPath, args, { env: { PATH: process.env['PATH'], ...environment } })
}

interface Stats {
  readonly cache: { readonly hits: number; readonly misses: number }
  readonly consumer: { readonly consumed: number }
}

async function stats(): Promise<Stats> {
  return (await (await fetch(`${url}/api/v1/order-lookup/stats`)).json()) as Stats
}

/** From the first look, when it has already begun, to the last order. */
async function measureConsuming(): Promise<void> {
  const first = (await stats()).consumer.consumed
  const since = performance.now()
  let consumed = first
  while (consumed < count) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    consumed = (await stats()).consumer.consumed
  }
  const perSecond = ((consumed - first) / (performance.now() - since)) * 1000
  report.row({
    what: 'consuming a backlog',
    'per second': shown(perSecond),
    'p50 ms': '',
    'p97.5 ms': '',
    'p99 ms': '',
  })
}

async function newestIds(most: number): Promise<string[]> {
  const ids: string[] = []
  for (let cursor = ''; ids.length < most; ) {
    const answer = await fetch(`${url}/api/v1/orders?limit=200${cursor && `&cursor=${cursor}`}`)
    const page = (await answer.json()) as { orders: { order_uid: string }[]; next_cursor?: string }
    ids.push(...page.orders.map(({ order_uid }) => order_uid))
    if (page.next_cursor === undefined) break
    cursor = page.next_cursor
  }
  return ids
}

async function measureGets(what: string, at: string, nextId: () => string): Promise<void> {
  const result = await autocannon({
    url: at,
    method: 'GET',
    connections: Number(values.clients),
    duration: Number(values.seconds),
    requests: [{ setupRequest: (request) => ({ ...request, path: `/order/${nextId()}` }) }],
  })
  report.row({
    what,
    'per second': shown(result['2xx'] / result.duration),
    'p50 ms': shown(result.latency.p50),
    'p97.5 ms': shown(result.latency.p97_5),
    'p99 ms': shown(result.latency.p99),
  })
  if (result.non2xx > 0) report.note(`${what}: ${result.non2xx} answers were no 2xx`)
}

async function startConstant(body: string): Promise<AsyncDisposable & { readonly url: string }> {
  const script = fileURLToPath(new URL('./constant-fastify.ts', import.meta.url))
  const child = spawn(process.execPath, [script, body], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    url: line.toString().trim(),
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}
