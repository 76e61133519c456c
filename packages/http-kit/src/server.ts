import type { Logger, Metrics, Running } from '@headrace/runtime'
import { isLoopback } from './access.ts'
import { allowedMethods } from './allowed-methods.ts'
import type { App } from './app.ts'
import { bareApp, defaultLimits, type HttpLimits } from './bare-app.ts'
import type { Callers } from './callers.ts'
import { connectionsOf } from './connections.ts'
import { listedOrigins, loopbackOrigins, noOrigins, type OriginRule } from './cors.ts'
import { errorResponder } from './error-responses.ts'
import { healthRoutes } from './health.ts'
import { assertReachable, type ListenAddress, type ListenOptions, listenAddress, listenError } from './listen.ts'
import { type DocsOptions, describeApi } from './open-api.ts'
import { type Readiness, readiness } from './readiness.ts'
import { routeRules } from './route-rules.ts'
import { notFound, pathOf, screening } from './screening.ts'

export interface HttpServerOptions {
  /** Names the server in logs and metrics. */
  readonly name: string
  readonly logger: Logger
  readonly metrics?: Metrics
  readonly readiness?: Readiness
  /** Also asked by `GET /healthz`. */
  readonly healthProbe?: () => Promise<void>
  /** Describes the API at `/openapi.json` and `/docs`; neither unless given. */
  readonly docs?: DocsOptions
  /** Origins whose pages may read answers. Unless given: any on this machine while listening on loopback, else none. */
  readonly corsOrigins?: readonly string[]
  /** Bearer token of `internal` routes; loopback callers only unless given. */
  readonly internalToken?: string
  /**
   * Who asks. Unless given nobody can say who they are: `token` routes are closed, `person` routes are everybody's, and
   * the server listens on this machine only.
   */
  readonly callers?: Callers
  /** Addresses and networks whose `X-Forwarded-For` is believed; none unless given. */
  readonly trustedProxies?: readonly string[]
  readonly limits?: Partial<HttpLimits>
}

/** Time for answers under way when stopping, in ms. */
const defaultDrainMs = 10_000

export interface HttpServer extends Running {
  /** Where routes are added, until `listen`. */
  readonly app: App
  /** Open connections. */
  readonly connections: number
  /** Begins to serve. Throws `PORT_TAKEN` or `INVALID_SETTING`, naming the variable. */
  listen(options: ListenOptions): Promise<ListenAddress>
  /**
   * Stops accepting, answers what is under way, then closes. `STOP_TIMEOUT` after cutting off what is left at the
   * deadline (10 s unless given).
   */
  stop(options?: { readonly deadlineMs?: number }): Promise<void>
}

/**
 * A server with the platform's manners: problems as errors, health and readiness, access rules, strict bodies, limits,
 * CORS, metrics, a description of its API, and a drain at the end.
 */
export async function createHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const respond = errorResponder(options.logger)
  const app = bareApp({ ...defaultLimits, ...options.limits }, respond, options.trustedProxies)
  const connections = connectionsOf(app.server)
  const origins: Origins = { rule: options.corsOrigins ? listedOrigins(options.corsOrigins) : noOrigins }
  app.setErrorHandler((error, request, reply) => respond(error, request, reply))
  await addManners(app, options, origins)

  let stopping: Promise<void> | undefined
  const stop = (stopOptions: { readonly deadlineMs?: number } = {}) => {
    stopping ??= connections.drain(() => app.close(), stopOptions.deadlineMs ?? defaultDrainMs)
    return stopping
  }
  return {
    app,
    get connections() {
      return connections.open
    },
    async listen(listenOptions) {
      // One address for `localhost`, so that there is one listener to drain.
      const host = (listenOptions.host ?? '127.0.0.1').replace(/^localhost$/, '127.0.0.1')
      assertReachable(host, options.callers !== undefined)
      if (options.corsOrigins === undefined && isLoopback(host)) origins.rule = loopbackOrigins
      return listen(app, host, listenOptions)
    },
    stop,
    [Symbol.asyncDispose]: () => stop(),
  }
}

/** Known for certain only once the server listens. */
interface Origins {
  rule: OriginRule
}

/** What every route shares, and the routes that every server has. The order matters: rules before routes. */
async function addManners(app: App, options: HttpServerOptions, origins: Origins): Promise<void> {
  const methods = allowedMethods()
  app.addHook('onRoute', routeRules(options))
  app.addHook('onRoute', (route) => methods.add(route))
  app.addHook('onRequest', screening(origins))
  app.setNotFoundHandler((request) => {
    throw notFound(request, methods.of(pathOf(request)))
  })
  if (options.docs !== undefined) await describeApi(app, options.docs, options.callers?.required === true)
  const { healthProbe } = options
  healthRoutes(app, { readiness: options.readiness ?? readiness({}), ...(healthProbe && { healthProbe }) })
}

async function listen(app: App, host: string, options: ListenOptions): Promise<ListenAddress> {
  await app.ready()
  try {
    await app.listen({ host, port: options.port })
  } catch (error) {
    throw listenError(error, host, options)
  }
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new TypeError('the server has no TCP address')
  return listenAddress(address)
}
