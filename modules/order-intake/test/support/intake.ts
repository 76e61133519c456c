import { randomUUID } from 'node:crypto'
import { createHttpServer, httpKitMigrations } from '@headrace/http-kit'
import type { KeyValue } from '@headrace/keyvalue'
import { createMetrics, noFaults, nullLogger, readSettings } from '@headrace/runtime'
import { type TestStation, testStation } from '@headrace/station/testing'
import { type OrderView, orderIntakeSettings } from '../../src/contract.ts'
import { orderIntakeApiMigrations, orderIntakeModule, orderIntakeWorkerMigrations } from '../../src/module.ts'

export interface RoleOptions {
  /** The database of another role or replica; one of its own unless given. */
  readonly url?: string
  readonly env?: Readonly<Record<string, string>>
  readonly keyvalue?: KeyValue
  /** Loses every hint between replicas. */
  readonly withoutHints?: boolean
}

const migrations = [httpKitMigrations, orderIntakeApiMigrations, orderIntakeWorkerMigrations]

async function openStation(options: RoleOptions): Promise<TestStation> {
  return testStation({ migrations, ...(options.url === undefined ? {} : { url: options.url }) })
}

function contextOf(station: TestStation, options: RoleOptions) {
  const pubsub = options.withoutHints ? { ...station.pubsub, publish() {} } : station.pubsub
  const used = { ...station, pubsub, keyvalue: options.keyvalue ?? station.keyvalue }
  return {
    settings: { ...readSettings(orderIntakeSettings, options.env ?? {}), MESSAGE_LIMIT_BYTES: 921_600 },
    stations: { orderIntakeApi: used, orderIntakeWorker: used },
    metrics: createMetrics(),
    logger: nullLogger,
    faults: noFaults,
    onError: () => {},
  }
}

function role(name: string) {
  const found = orderIntakeModule().roles.find((each) => each.name === name)
  if (found === undefined) throw new RangeError(`there is no role ${name}`)
  return found
}

/** A role that runs. */
export interface RunningRole extends AsyncDisposable {
  readonly station: TestStation
}

/** Starts a worker. */
export async function startWorker(options: RoleOptions = {}): Promise<RunningRole> {
  await using stack = new AsyncDisposableStack()
  const station = stack.use(await openStation(options))
  const internal = stack.use(await createHttpServer({ name: 'worker', logger: nullLogger })).app
  stack.use(await role('worker').start({ ...contextOf(station, options), surfaces: { public: internal } }))
  const parts = stack.move()
  return { station, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

export interface Answer<Body> {
  readonly status: number
  readonly headers: Headers
  readonly body: Body
}

export interface Placed {
  readonly order_id: string
  readonly status: string
  /** Of a problem. */
  readonly code: string
  readonly detail: string
}

/** An api with its own port, as its clients see it. */
export interface Api extends RunningRole {
  readonly url: string
  place(body: unknown, options?: { query?: string; headers?: Record<string, string> }): Promise<Answer<Placed>>
  get(orderId: string): Promise<Answer<{ readonly order: OrderView } & Placed>>
  byExternal(externalId: string, userId: string): Promise<Answer<{ readonly order: OrderView } & Placed>>
}

/** Starts an api. */
export async function startApi(options: RoleOptions = {}): Promise<Api> {
  await using stack = new AsyncDisposableStack()
  const station = stack.use(await openStation(options))
  const context = contextOf(station, options)
  const server = await createHttpServer({ name: 'api', logger: nullLogger })
  stack.use(await role('api').start({ ...context, surfaces: { public: server.app } }))
  // Closed before the role is stopped, as the platform does.
  stack.use(server)
  const { url } = await server.listen({ port: 0, variable: 'PORT' })
  const parts = stack.move()
  return { station, ...client(url), [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

/** What a client does with an api. */
export function client(url: string): Pick<Api, 'url' | 'place' | 'get' | 'byExternal'> {
  const ask = async <Body>(path: string, init?: RequestInit): Promise<Answer<Body>> => {
    const response = await fetch(`${url}${path}`, init)
    return { status: response.status, headers: response.headers, body: (await response.json()) as Body }
  }
  return {
    url,
    place: (body, { query = '', headers = {} } = {}) =>
      ask(`/orders${query}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    get: (orderId) => ask(`/orders/${orderId}`),
    byExternal: (externalId, userId) => ask(`/orders/by-external/${encodeURIComponent(externalId)}?user_id=${userId}`),
  }
}

/** An event of a producer that is none of ours: a message that stands in no log of ours. */
export interface ForeignEvent {
  readonly order_id: string
  readonly user_id: string
  readonly payload?: unknown
  readonly external_id?: unknown
  readonly status?: string
}

export const newUser = (): string => randomUUID()
