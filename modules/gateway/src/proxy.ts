import type { App } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'
import {
  askReplica,
  type Replica,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamRequest,
  wasNeverSent,
} from './upstream.ts'

type Headers = Readonly<Record<string, string | string[] | undefined>>

export interface ProxiedRoute {
  readonly method: 'GET' | 'POST'
  /** The path here. */
  readonly path: string
  /** The path there, for the path that was asked for here. */
  readonly target: (path: string) => string
  readonly upstream: Upstream
  /** Describes the route; the replica validates. */
  readonly schema: object
}

/** Headers of one connection only (RFC 9110 §7.6.1), and those that each side writes itself. */
const ownHeaders = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'content-length',
  'expect',
  'origin',
  'date',
  'vary',
])

/** Adds a route whose requests are handed on as they are, and whose answers come back as they are. */
export function addProxiedRoute(app: App, route: ProxiedRoute): void {
  const { method, path, upstream, schema, target } = route
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body))
    scope.route({
      method,
      url: path,
      config: { access: 'person' },
      schema,
      validatorCompiler: () => () => true,
      // What a replica answers is sent as it is.
      serializerCompiler: () => (data) => String(data),
      handler: async (request, reply) => {
        const answer = await forward(upstream, {
          method,
          path: target(request.url),
          headers: handedOn(request),
          body: request.body instanceof Buffer ? request.body : undefined,
        })
        return reply.code(answer.status).headers(passed(answer.headers)).send(answer.body)
      },
    })
    done()
  })
}

interface HandedOn {
  readonly id: string
  readonly ip: string
  readonly headers: Headers
}

/** The headers of a request for another process. Where it came from is what we know, not what it says. */
export function handedOn({ id, ip, headers }: HandedOn): Record<string, string | string[]> {
  return { ...passed(headers), 'x-request-id': id, 'x-forwarded-for': ip }
}

/** Headers that are handed on. */
export function passed(headers: Headers): Record<string, string | string[]> {
  const entries = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined || ownHeaders.has(name) ? [] : [[name, value] as const],
  )
  return Object.fromEntries(entries)
}

/**
 * Asks the replicas in turn. A request that was never sent goes to the next one. One that was sent and not answered is
 * repeated only where that is harmless; else its outcome is not known.
 */
async function forward(upstream: Upstream, request: UpstreamRequest): Promise<UpstreamAnswer> {
  const replicas = upstream.inTurn()
  let failure: PlatformError | undefined
  for (const replica of replicas) {
    try {
      return await askReplica(replica, request)
    } catch (error) {
      failure = forwardError(replica, request.method, error)
      if (failure.code === 'OUTCOME_UNKNOWN') throw failure
    }
  }
  throw failure ?? new PlatformError('UNAVAILABLE', 'there is no address to hand the request on to')
}

/** What is known about a request that was not answered. */
export function forwardError({ url }: Replica, method: string, cause: unknown): PlatformError {
  if (method === 'GET') return new PlatformError('UNAVAILABLE', `${url} did not answer`, { cause })
  if (wasNeverSent(cause)) return new PlatformError('QUEUE_UNAVAILABLE', `${url} cannot be reached`, { cause })
  return new PlatformError('OUTCOME_UNKNOWN', 'the answer of the next process is missing', { cause })
}
