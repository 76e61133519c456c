import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { Logger, Metrics, Running } from '@headrace/runtime'
import { PlatformError } from '@headrace/runtime'
import Fastify, { type FastifyReply, type FastifyRequest, type RouteOptions } from 'fastify'
import { accessOf, type Guard, internalGuard, isLoopback } from './access.ts'
import { allowedMethods } from './allowed-methods.ts'
import type { App } from './app.ts'
import { answerClientError } from './client-errors.ts'
import { connectionsOf } from './connections.ts'
import { answerPreflight, applyCors, listedOrigins, loopbackOrigins, noOrigins, type OriginRule } from './cors.ts'
import { errorResponder } from './error-responses.ts'
import { healthRoutes } from './health.ts'
import { parseJsonBody } from './json-body.ts'
import { assertReachable, type ListenAddress, listenAddress, listenError, type ListenOptions } from './listen.ts'
import { describeApi, docsPath, type DocsOptions } from './open-api.ts'
import { invalidRequest } from './problem.ts'
import { type Readiness, readiness } from './readiness.ts'
import { requestMetrics } from './request-metrics.ts'
import { shownValue } from './shown-value.ts'
import { compileValidator } from './validation.ts'

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
  /** Decides about callers of `person` routes; anybody unless given. */
  readonly personGuard?: Guard
  /** Allows listening beyond this machine; false unless given. Needs a `personGuard` that asks for tokens. */
  readonly allowPublic?: boolean
  readonly limits?: Partial<HttpLimits>
}

export interface HttpLimits {
  /** Largest body. */
  readonly bodyBytes: number
  /** Until a request's headers have arrived. */
  readonly headersMs: number
  /** Until a request has arrived whole. */
  readonly requestMs: number
  /** A connection on which nothing moves for so long is closed, also one whose answer is not read. */
  readonly idleMs: number
  /** An unused connection is kept for its next request so long. */
  readonly keepAliveMs: number
  /** Connections beyond this number are closed at once. */
  readonly connections: number
}

const defaultLimits = {
  bodyBytes: 1_048_576,
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 60_000,
  keepAliveMs: 65_000,
  connections: 10_000,
} satisfies HttpLimits

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
  const limits: HttpLimits = { ...defaultLimits, ...options.limits }
  const respond = errorResponder(options.logger)
  const app = newApp(limits, respond)
  const connections = connectionsOf(app.server)
  const origins: { rule: OriginRule } = { rule: options.corsOrigins ? listedOrigins(options.corsOrigins) : noOrigins }

  const methods = allowedMethods()
  app.addHook('onRoute', routeRules(options))
  app.addHook('onRoute', (route) => methods.add(route))
  app.addHook('onRequest', screening(origins))
  app.setErrorHandler((error, request, reply) => respond(error, request, reply))
  app.setNotFoundHandler((request) => {
    throw notFound(request, methods.of(pathOf(request)))
  })
  app.options('*', { config: { access: 'public' }, schema: { hide: true } }, (_request, reply) => answerPreflight(reply))
  if (options.docs !== undefined) await describeApi(app, options.docs)
  const { healthProbe } = options
  healthRoutes(app, { readiness: options.readiness ?? readiness({}), ...(healthProbe && { healthProbe }) })

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
      assertReachable(host, options.allowPublic === true)
      if (options.corsOrigins === undefined && isLoopback(host)) origins.rule = loopbackOrigins
      return listen(app, host, listenOptions)
    },
    stop,
    [Symbol.asyncDispose]: () => stop(),
  }
}

function newApp(limits: HttpLimits, respond: ReturnType<typeof errorResponder>): App {
  const app = Fastify({
    // The error responder logs; a line per request costs a fifth of the throughput.
    logger: false,
    // Requests that arrive on open connections while stopping are answered like those before them.
    return503OnClosing: false,
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    connectionTimeout: limits.idleMs,
    keepAliveTimeout: limits.keepAliveMs,
    http: { headersTimeout: limits.headersMs, connectionsCheckingInterval: 1000, maxHeaderSize: 16_384 },
    genReqId: requestId,
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => void respond(error, request, reply),
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.server.maxConnections = limits.connections
  app.setValidatorCompiler(compileValidator)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, parseJsonBody(body as Buffer))
  })
  return app
}

/** Gives each route its guard and its counters. */
function routeRules(options: HttpServerOptions): (route: RouteOptions) => void {
  const guards = { public: undefined, person: options.personGuard, internal: internalGuard(options.internalToken) }
  const metrics = options.metrics === undefined ? undefined : requestMetrics(options.name, options.metrics)
  return (route) => {
    // The reference's own files are added by its plugin, which knows no access rules.
    if (options.docs !== undefined && isDocs(route.url)) route.config = { ...route.config, access: 'public' }
    const guard = guards[accessOf(route)]
    if (guard !== undefined) route.onRequest = [asHook(guard), ...[route.onRequest ?? []].flat()]
    if (metrics !== undefined) route.onResponse = [metrics.hookFor(route), ...[route.onResponse ?? []].flat()]
  }
}

function isDocs(url: string): boolean {
  return url === docsPath || url.startsWith(`${docsPath}/`)
}

function asHook(guard: Guard) {
  return async (request: FastifyRequest) => guard(request)
}

/** What every request is asked before its route: nothing that costs more than a look at its headers. */
function screening(origins: { readonly rule: OriginRule }) {
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => {
    const { headers, url = '' } = request.raw
    if (headers.origin !== undefined) applyCors(reply, headers.origin, origins.rule)
    const encoding = headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') return done(unsupportedEncoding(encoding))
    if (url.includes('%00')) return done(invalidRequest('the URL holds a NUL character (%00)'))
    done()
  }
}

// Bodies are never unpacked, so no small body becomes a large one.
function unsupportedEncoding(encoding: string): PlatformError {
  const message = `Content-Encoding ${shownValue(encoding)} is not supported: send the body as it is`
  return new PlatformError('UNSUPPORTED_MEDIA_TYPE', message)
}

function notFound(request: FastifyRequest, allowed: readonly string[]): PlatformError {
  const asked = `${request.method} ${shownValue(pathOf(request))}`
  if (allowed.length === 0) return new PlatformError('NOT_FOUND', `there is no ${asked}`)
  const allow = allowed.join(', ')
  return new PlatformError('METHOD_NOT_ALLOWED', `${asked} is not allowed, only ${allow}`, { details: { allow } })
}

// Without the query, which may hold a ticket.
function pathOf(request: FastifyRequest): string {
  return (request.raw.url ?? '').replace(/[?#].*$/s, '')
}

function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && /^[\w.:+/=@-]{1,128}$/.test(given) ? given : randomUUID()
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
