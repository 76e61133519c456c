// Order lookup: how fast a backlog is consumed, from the database's own log and from Kafka; then GETs that hit, that miss,
// and with Zipf access to 10 × the capacity while 1 % of the calls are writes; beside a Fastify that answers constant bytes.
// Starts its own Kafka. Each carrier has a process and an embedded database of its own; GETs are measured on the last one.
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
import { type Environment, ownKafka } from '../lib/servers.ts'
import { shown } from '../lib/statistics.ts'
import { zipf } from './zipf.ts'

const { values } = parseArgs({
  options: {
    on: { type: 'string', default: 'postgres,kafka' },
    orders: { type: 'string', default: '50000' },
    capacity: { type: 'string', default: '1000' },
    clients: { type: 'string', default: '64' },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
  },
})
const count = Number(values.orders)
const capacity = Number(values.capacity)
const report = openReport('lookup', `node bench/run.ts lookup ${process.argv.slice(2).join(' ')}`.trim())
const carriers = values.on.split(',')

for (const carrier of carriers) {
  await using stack = new AsyncDisposableStack()
  const lookup = await startLookup(carrier, stack)
  await lookup.consume()
  if (carrier === carriers.at(-1)) await measureAnswers(lookup)
}
report.finish()

/** What runs, and who writes to it. */
interface Lookup {
  readonly url: string
  produce(orders: number, rate: number): Promise<void>
  /** Writes a backlog while nothing reads, starts, and measures how fast it is consumed. */
  consume(): Promise<void>
}

async function startLookup(carrier: string, stack: AsyncDisposableStack): Promise<Lookup> {
  const directory = await mkdtemp(join(tmpdir(), 'headrace-bench-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const [port = 0] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  const environment = {
    ...(carrier === 'kafka' ? await ownKafka(stack) : {}),
    HEADRACE_DATA: directory,
    CACHE_CAPACITY: String(capacity),
    INTERNAL_PORT: '0',
    ORDER_LOOKUP_PORT: String(port),
  }
  const start = () => startHeadrace({ environment, args: ['--only', 'order-lookup'], url, deadlineMs: 120_000 })
  // The first start makes the schema, so that the backlog can be written while nothing reads it.
  await (await start()).stop()
  const write = (orders: number, rate: number) => produce(environment, orders, rate)
  return {
    url,
    produce: write,
    async consume() {
      await write(count, 0)
      const running = stack.use(await start())
      await measureConsuming(`consuming a backlog from ${carrier}`, running)
    },
  }
}

async function produce(environment: Environment, orders: number, rate: number): Promise<void> {
  const script = fileURLToPath(new URL('../../tools/produce-orders.ts', import.meta.url))
  const args = [script, '--count', String(orders), '--rate', String(rate), '--invalid', '0', '--seed', '1']
  await promisify(execFile)(process.execPath, args, { env: { PATH: process.env['PATH'], ...environment } })
}

interface Stats {
  readonly cache: { readonly hits: number; readonly misses: number }
  readonly consumer: { readonly consumed: number }
}

async function statsOf(url: string): Promise<Stats> {
  return (await (await fetch(`${url}/api/v1/order-lookup/stats`)).json()) as Stats
}

/** From the first look, when it has already begun, to the last order. */
async function measureConsuming(what: string, { url }: Headrace): Promise<void> {
  const first = (await statsOf(url)).consumer.consumed
  const since = performance.now()
  let consumed = first
  while (consumed < count) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    consumed = (await statsOf(url)).consumer.consumed
  }
  const perSecond = ((consumed - first) / (performance.now() - since)) * 1000
  report.row({ what, 'per second': shown(perSecond), 'p50 ms': '', 'p97.5 ms': '', 'p99 ms': '' })
}

async function measureAnswers({ url, produce }: Lookup): Promise<void> {
  await produce(capacity * 10, 0)
  const isThere = async () => (await statsOf(url)).consumer.consumed === count + capacity * 10
  while (!(await isThere())) await new Promise((resolve) => setTimeout(resolve, 100))
  const ids = await newestIds(url, capacity * 10)
  const hot = ids[0] ?? ''
  await using constant = await startConstant(await (await fetch(`${url}/order/${hot}`)).text())
  // In turns, so that whatever else the machine does meets both.
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    await measureGets('cached GET', url, () => hot)
    await measureGets('constant Fastify', constant.url, () => hot)
  }
  let asked = 0
  const perSecond = await measureGets('cold GET', url, () => {
    asked += 1
    return ids[asked % ids.length] ?? ''
  })
  await measureZipf({ url, produce }, ids, Math.round(perSecond / 100))
}

/** The most wanted are the first that were written, and so the first that are written again. */
async function measureZipf({ url, produce }: Pick<Lookup, 'url' | 'produce'>, ids: readonly string[], rate: number) {
  const byRank = ids.toReversed()
  const draw = zipf(byRank.length)
  const before = await statsOf(url)
  const writing = produce(Number(values.seconds) * rate, rate)
  await measureGets(`Zipf over 10 × capacity, ${rate} writes/s`, url, () => byRank[draw()] ?? '')
  await writing
  const after = await statsOf(url)
  const [hits, misses] = [after.cache.hits - before.cache.hits, after.cache.misses - before.cache.misses]
  const writes = after.consumer.consumed - before.consumer.consumed
  const share = (part: number) => `${shown((100 * part) / (hits + misses))} %`
  report.row({ what: `Zipf: ${share(hits)} hits, ${share(writes)} as many writes as reads` })
}

async function newestIds(url: string, most: number): Promise<string[]> {
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

/** Returns answers per second. */
async function measureGets(what: string, at: string, nextId: () => string): Promise<number> {
  const result = await autocannon({
    url: at,
    method: 'GET',
    connections: Number(values.clients),
    duration: Number(values.seconds),
    requests: [{ setupRequest: (request) => ({ ...request, path: `/order/${nextId()}` }) }],
  })
  const perSecond = result['2xx'] / result.duration
  report.row({
    what,
    'per second': shown(perSecond),
    'p50 ms': shown(result.latency.p50),
    'p97.5 ms': shown(result.latency.p97_5),
    'p99 ms': shown(result.latency.p99),
  })
  if (result.non2xx > 0) report.note(`${what}: ${result.non2xx} answers were no 2xx`)
  return perSecond
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
