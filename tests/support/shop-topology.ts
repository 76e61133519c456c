import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runningEmbeddedServer } from '@headrace/database'
import { testDatabase } from '@headrace/database/testing'
import { freePorts, type Headrace, startHeadrace } from './headrace.ts'

/** The shop as it is deployed: all in one process, or gateway, two orders and two payments over two databases. */
export interface ShopTopology extends AsyncDisposable {
  /** Where clients come in. */
  readonly url: string
  /** Names of the processes, each of which can be killed and started again. */
  readonly processes: readonly string[]
  databaseUrls(): Promise<{ readonly orders: string; readonly payments: string }>
  kill(process: string): Promise<void>
  start(process: string): Promise<void>
}

export type ShopTopologyName = 'one process' | 'five processes'

interface Part {
  readonly args: readonly string[]
  readonly url: string
  readonly environment: Readonly<Record<string, string>>
}

type Settings = Readonly<Record<string, string>>

const closed = {
  INTERNAL_PORT: '0',
  INGEST_PORT: '0',
  PROCESSOR_PORT: '0',
  CALCULATOR_PORT: 'off',
  CONSOLE_PORT: 'off',
}

/** Starts the shop in a shape, with settings for all its processes. */
export function startShop(name: ShopTopologyName, settings: Settings = {}): Promise<ShopTopology> {
  return name === 'one process' ? inOne(settings) : apart(settings)
}

async function inOne(settings: Settings): Promise<ShopTopology> {
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

async function apart(settings: Settings): Promise<ShopTopology> {
  await using stack = new AsyncDisposableStack()
  const orders = stack.use(await testDatabase({ name: 'orders' })).url
  const payments = stack.use(await testDatabase({ name: 'payments' })).url
  const ports = await freePorts(5)
  const urls = ports.map((port) => `http://127.0.0.1:${port}`)
  const [url = '', firstOrders = '', secondOrders = '', firstPayments = '', secondPayments = ''] = urls
  const places = { DATABASE_URL: orders, ORDERS_DATABASE_URL: orders, PAYMENTS_DATABASE_URL: payments }
  const elsewhere = {
    ORDERS_URL: `${firstOrders},${secondOrders}`,
    PAYMENTS_URL: `${firstPayments},${secondPayments}`,
    // The gateway is ready when ingest and processor are; here somebody else says that they are well.
    INGEST_URL: firstOrders,
    PROCESSOR_URL: firstOrders,
  }
  const part = (only: string, at: string): Part => {
    const port = new URL(at).port
    const environment = { ...closed, ...settings, ...places, ...elsewhere, PORT: port, API_PORT: port }
    return { args: ['--only', only], url: at, environment }
  }
  const parts = {
    'payments-1': part('payments', firstPayments),
    'payments-2': part('payments', secondPayments),
    'orders-1': part('orders', firstOrders),
    'orders-2': part('orders', secondOrders),
    gateway: part('gateway', url),
  }
  const owned = stack.move()
  return running(url, parts, { databaseUrls: async () => ({ orders, payments }), remove: () => owned.disposeAsync() })
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
    processes.set(name, await startHeadrace({ ...part, deadlineMs: 60_000 }))
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
