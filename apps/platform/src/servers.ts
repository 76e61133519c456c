import { type App, type Callers, createHttpServer, type HttpServer, type Readiness } from '@headrace/http-kit'
import type { Logger, Metrics } from '@headrace/runtime'
import type { Surfaces } from './context.ts'
import type { PlatformSettings } from './settings.ts'
import type { Port, SurfaceName } from './topology.ts'

/** Where a process listens. */
export interface Address {
  readonly name: string
  readonly url: string
}

/** The HTTP servers of a process, one for each port. */
export interface Servers {
  readonly surfaces: Surfaces
  /** Opens all ports. Throws `PORT_TAKEN` or `INVALID_SETTING`, naming the variable. */
  listen(): Promise<readonly Address[]>
  /** Answers what is under way and closes all ports. */
  stop(deadlineMs: number): Promise<void>
}

export interface ServerNeeds {
  readonly settings: PlatformSettings
  readonly logger: Logger
  readonly metrics: Metrics
  readonly readiness: Readiness
  /** Also asked by `/healthz` on the calculator's own port. */
  readonly calculatorHealth: () => Promise<void>
  readonly version: string
  readonly callers: Callers
  readonly trustedProxies: readonly string[]
}

/** Makes a server for each port; they listen once the roles have added their routes. */
export async function createServers(ports: readonly Port[], needs: ServerNeeds): Promise<Servers> {
  const servers = await Promise.all(ports.map(async (port) => ({ port, server: await createServer(port, needs) })))
  const app = (name: SurfaceName): App | undefined => servers.find(({ port }) => port.serves.includes(name))?.server.app
  const internal = app('internal')
  if (internal === undefined) throw new TypeError('every process has an internal port')
  addMetricsRoute(internal, needs.metrics)
  const surfaces = {
    public: app('public'),
    ingest: app('ingest'),
    processor: app('processor'),
    calculator: app('calculator'),
    orderLookup: app('orderLookup'),
    console: app('console'),
    internal,
  }
  return {
    surfaces,
    async listen() {
      const addresses: Address[] = []
      // One after the other, so that the first that is taken is the one that is named.
      for (const { port, server } of servers) addresses.push({ name: port.name, url: (await server.listen(port)).url })
      return addresses
    },
    async stop(deadlineMs) {
      const ends = await Promise.allSettled(servers.map(({ server }) => server.stop({ deadlineMs })))
      const failed = ends.find((end) => end.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    },
  }
}

function createServer(port: Port, needs: ServerNeeds): Promise<HttpServer> {
  const { settings, logger, metrics, readiness, version, callers, trustedProxies } = needs
  return createHttpServer({
    name: port.name,
    logger,
    metrics,
    readiness,
    callers,
    trustedProxies,
    limits: { bodyBytes: settings.BODY_LIMIT_BYTES },
    ...(port.name === 'calculator' && { healthProbe: needs.calculatorHealth }),
    ...(settings.CORS_ORIGINS && { corsOrigins: settings.CORS_ORIGINS }),
    ...(settings.INTERNAL_TOKEN && { internalToken: settings.INTERNAL_TOKEN }),
    ...(port.serves.includes('public') && { docs: { title: 'Headrace', version } }),
  })
}

function addMetricsRoute(app: App, metrics: Metrics): void {
  const schema = { tags: ['metrics'], summary: 'All metrics in the text format of Prometheus' }
  app.get('/metrics', { config: { access: 'internal' }, schema }, async (_request, reply) => {
    reply.type(metrics.contentType)
    return metrics.metricsText()
  })
}
