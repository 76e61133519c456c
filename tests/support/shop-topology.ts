import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runningEmbeddedServer } from '@headrace/database'
import { testDatabase } from '@headrace/database/testing'
import { startKafka, startNats, testRedis } from '../../tools/services/testing.ts'
import { freePorts, type Headrace, startHeadrace } from './headrace.ts'

/** How the shop is deployed. */
export interface ShopShape {
  /** Processes of orders, and of payments, beside a gateway; 0 = all in one process, with its embedded database. */
  readonly replicas: number
  /** Whether payments have a database of their own. */
  readonly isDivided?: boolean
  /** What carries messages between them; with a broker, Redis carries the hints of live streams. */
  readonly carrier?: 'postgres' | 'kafka' | 'nats'
}

export interface ShopOptions {
  /** Settings of all its processes. */
  readonly settings?: Settings
  /** Address of the server that the databases are made on; unset: the one of all tests. */
  readonly databaseServer?: string
}

/** The shop as it runs in a shape. */
export interface ShopTopology extends AsyncDisposable {
  /** Where clients come in. */
  readonly url: string
  /** Names of the processes, each of which can be killed and started again. */
  readonly processes: readonly string[]
  databaseUrls(): Promise<{ readonly orders: string; readonly payments: string }>
  kill(process: string): Promise<void>
  start(process: string): Promise<void>
}

interface Part {
  readonly args: readonly string[]
  readonly url: string
  readonly environment: Settings
}

type Settings = Readonly<Record<string, string>>

const closed = {
  INTERNAL_PORT: '0',
  INGEST_PORT: '0',
  PROCESSOR_PORT: '0',
  CALCULATOR_PORT: 'off',
  CONSOLE_PORT: 'off',
}

/** Starts the shop in a shape, with servers of its own. */
export function startShop(shape: ShopShape, options: ShopOptions = {}): Promise<ShopTopology> {
  return shape.replicas === 0 ? inOne(options) : apart(shape, options)
}

async function inOne({ settings = {} }: ShopOptions): Promise<ShopTopology> {
  const directory = await mkdtemp(join(tmpdir(), 'headrace-shop-'))
  const [port = 0] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  const environment = { ...closed, ...settings, API_PORT: String(port), HEADRACE_DATA: directory }
  const parts = { headrace: { args: ['--only', 'gateway,orders,payments,pipeline'], url, environment } }
  const databaseUrls = async () => {
    const server = await runningEmbeddedServer(directory)
    if (server === undefined) throw new Error('the embedded server does not run')
    return { orders: server.url, payments: server.url }
  }
  return running(url, parts, { databaseUrls, remove: () => rm(directory, { recursive: true, force: true }) })
}

async function apart(shape: ShopShape, { settings = {}, databaseServer }: ShopOptions): Promise<ShopTopology> {
  await using stack = new AsyncDisposableStack()
  const database = async (name: string) =>
    stack.use(await testDatabase({ name, ...(databaseServer !== undefined && { server: databaseServer }) })).url
  const orders = await database('orders')
  const payments = shape.isDivided ? await database('payments') : orders
  const carrier = await carrierSettings(stack, shape.carrier ?? 'postgres')
  const ports = await freePorts(1 + 2 * shape.replicas)
  const [url = '', ...others] = ports.map((port) => `http://127.0.0.1:${port}`)
  const urls = { orders: others.slice(0, shape.replicas), payments: others.slice(shape.replicas) }
  // A broker carries all that one needs of the other; over PostgreSQL each reads the other's log.
  const knowsBoth = shape.carrier === undefined || shape.carrier === 'postgres'
  const both = knowsBoth ? { ORDERS_DATABASE_URL: orders, PAYMENTS_DATABASE_URL: payments } : {}
  const elsewhere = {
    ORDERS_URL: urls.orders.join(),
    PAYMENTS_URL: urls.payments.join(),
    // The gateway is ready when ingest and processor are; here somebody else says that they are well.
    INGEST_URL: String(urls.orders[0]),
    PROCESSOR_URL: String(urls.orders[0]),
  }
  const part = (only: string, at: string, own: string): Part => {
    const { port } = new URL(at)
    const places = { DATABASE_URL: own, ...both, ...elsewhere, PORT: port, API_PORT: port }
    return { args: ['--only', only], url: at, environment: { ...closed, ...carrier, ...settings, ...places } }
  }
  const parts = Object.fromEntries([
    ...urls.payments.map((at, index) => [`payments-${index + 1}`, part('payments', at, payments)] as const),
    ...urls.orders.map((at, index) => [`orders-${index + 1}`, part('orders', at, orders)] as const),
    ['gateway', part('gateway', url, orders)] as const,
  ])
  const owned = stack.move()
  return running(url, parts, { databaseUrls: async () => ({ orders, payments }), remove: () => owned.disposeAsync() })
}

/** A broker of its own, as the shop's topics have fixed names; Redis knows each user's stream by a name of its own. */
async function carrierSettings(stack: AsyncDisposableStack, carrier: string): Promise<Settings> {
  if (carrier === 'postgres') return {}
  const broker = stack.use(await (carrier === 'kafka' ? startKafka() : startNats()))
  const address = carrier === 'kafka' ? { KAFKA_BROKERS: broker.address } : { NATS_URL: `nats://${broker.address}` }
  return { QUEUE_TYPE: carrier, ...address, REDIS_ADDR: await testRedis() }
}

interface Storage {
  databaseUrls: ShopTopology['databaseUrls']
  remove(): Promise<void>
}

async function running(url: string, parts: Readonly<Record<string, Part>>, storage: Storage): Promise<ShopTopology> {
  const processes = new Map<string, Headrace>()
  const start = async (name: string) => {
    const part = parts[name]
    if (part === undefined) throw new RangeError(`no process '${name}'`)
    processes.set(name, await startHeadrace({ ...part, deadlineMs: 240_000 }))
  }
  const dispose = async () => {
    await Promise.all([...processes.values()].map((each) => each.stop()))
    await storage.remove()
  }
  try {
    // In any order, as an orchestrator would.
    await Promise.all(Object.keys(parts).map(start))
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    url,
    processes: Object.keys(parts),
    databaseUrls: storage.databaseUrls,
    start,
    kill: async (name) => processes.get(name)?.kill(),
    [Symbol.asyncDispose]: dispose,
  }
}
