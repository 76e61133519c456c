import type { Access } from '@headrace/http-kit'
import type { GatewaySettings } from './contract.ts'

/** A path of a module that may run elsewhere. `*` stands for the rest of a path. */
export interface RemotePath {
  readonly path: string
  /** Checked here, too: the module may listen on loopback only, where tokens are not required. */
  readonly access: Access
  /** True for server-sent events: a `ticket` in the query is for this path. */
  readonly stream?: true
}

/** A module whose routes the gateway serves wherever it runs. */
export interface RemoteModule {
  /** The role that serves the paths. */
  readonly role: string
  /** The variable that says where it is. */
  readonly setting: RemoteSetting
  readonly paths: readonly RemotePath[]
  /** True when the console's port serves them, too. */
  readonly onConsole?: true
}

export type RemoteSetting = Exclude<keyof GatewaySettings, 'INGEST_URL' | 'PROCESSOR_URL'>

const open = (...paths: readonly string[]) => paths.map((path): RemotePath => ({ path, access: 'public' }))
const personal = (...paths: readonly string[]) => paths.map((path): RemotePath => ({ path, access: 'person' }))

/** Every module with routes of its own. That none is forgotten is shown against /openapi.json by the platform's test of split processes. */
export const remoteModules: readonly RemoteModule[] = [
  {
    role: 'auth:auth',
    setting: 'AUTH_URL',
    // Whoever has no account yet has no token; the others are checked by the module.
    paths: open(
      '/api/v1/register',
      '/api/v1/registration',
      '/register',
      '/api/v1/login',
      '/login',
      '/api/v1/refresh',
      '/api/v1/token/refresh',
      '/refresh',
      '/api/v1/logout',
      '/api/v1/me',
      '/api/v1/stream-ticket',
      '/.well-known/jwks.json',
    ),
  },
  {
    role: 'calculator:api',
    setting: 'CALCULATOR_URL',
    paths: [
      { path: '/api/v1/expressions/stream', access: 'person', stream: true },
      ...personal('/api/v1/calculate', '/api/v1/expressions', '/api/v1/expressions/*'),
    ],
  },
  {
    role: 'orders:api',
    setting: 'ORDERS_URL',
    paths: [
      { path: '/orders-api/orders/stream', access: 'person', stream: true },
      ...open('/orders-api/info', '/orders-api/docs', '/orders-api/docs/*'),
      ...personal('/orders-api/*'),
    ],
  },
  {
    role: 'payments:api',
    setting: 'PAYMENTS_URL',
    paths: [
      ...open('/payments-api/info', '/payments-api/docs', '/payments-api/docs/*'),
      ...personal('/payments-api/*'),
    ],
  },
  {
    role: 'order-lookup:order-lookup',
    setting: 'ORDER_LOOKUP_URL',
    onConsole: true,
    paths: [
      ...open('/', '/order-lookup', '/order-lookup/*'),
      ...personal('/order/*', '/api/v1/orders', '/api/v1/order-lookup/stats'),
    ],
  },
  {
    role: 'order-intake:api',
    setting: 'ORDER_INTAKE_URL',
    paths: personal('/orders', '/orders/*'),
  },
]

/** The path of every stream of the platform: what tickets can be for, wherever the stream runs. */
export const streamPaths: readonly string[] = remoteModules.flatMap(({ paths }) =>
  paths.flatMap(({ path, stream }) => (stream === true ? [path] : [])),
)

/** The roles that serve streams. */
export const streamingRoles: readonly string[] = remoteModules.flatMap(({ role, paths }) =>
  paths.some(({ stream }) => stream === true) ? [role] : [],
)
