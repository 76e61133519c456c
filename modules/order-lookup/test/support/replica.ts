import { createHttpServer, type HttpServer } from '@headrace/http-kit'
import { createMetrics, nullLogger, readSettings } from '@headrace/runtime'
import { type TestStation, testStation } from '@headrace/station/testing'
import { type Order, type OrderLookupStats, orderLookupSettings } from '../../src/contract.ts'
import { orderLookupMigrations, orderLookupModule } from '../../src/module.ts'

/** A replica of the module with its own HTTP port. */
export interface Replica extends AsyncDisposable {
  readonly station: TestStation
  readonly url: string
  stats(): Promise<OrderLookupStats>
  get(id: string, headers?: Record<string, string>): Promise<Answer>
  stop(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly order: Order
}

export interface ReplicaOptions {
  /** The database of another replica; one of its own unless given. */
  readonly url?: string
  readonly env?: Readonly<Record<string, string>>
  /** Loses every hint between replicas. */
  readonly withoutHints?: boolean
}

/** Starts a replica. */
export async function startReplica(options: ReplicaOptions = {}): Promise<Replica> {
  await using stack = new AsyncDisposableStack()
  const url = options.url === undefined ? {} : { url: options.url }
  const station = stack.use(await testStation({ migrations: [orderLookupMigrations], ...url }))
  const server: HttpServer = stack.use(await createHttpServer({ name: 'lookup', logger: nullLogger }))
  const pubsub = options.withoutHints ? { ...station.pubsub, publish() {} } : station.pubsub
  const context = {
    settings: readSettings(orderLookupSettings, options.env ?? {}),
    stations: { orderLookup: { ...station, pubsub } },
    surfaces: { public: server.app, internal: server.app },
    metrics: createMetrics(),
    logger: nullLogger,
    onError: () => {},
  }
  for (const role of orderLookupModule().roles) stack.use(await role.start(context))
  const { url: base } = await server.listen({ port: 0, variable: 'PORT' })
  const parts = stack.move()
  const stop = () => parts.disposeAsync()
  return {
    station,
    url: base,
    async stats() {
      return (await (await fetch(`${base}/api/v1/order-lookup/stats`)).json()) as OrderLookupStats
    },
    async get(id, headers = {}) {
      const response = await fetch(`${base}/order/${encodeURIComponent(id)}`, { headers })
      const text = await response.text()
      return { status: response.status, headers: response.headers, order: (text && JSON.parse(text)) as Order }
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
