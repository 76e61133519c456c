import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import type { App } from './app.ts'
import { answerClientError } from './client-errors.ts'
import type { ErrorResponder } from './error-responses.ts'
import { parseJsonBody } from './json-body.ts'
import { compileValidator } from './validation.ts'

export interface HttpLimits {
  /** Largest body. */
  readonly bodyBytes: number
  /** Until a request's headers have arrived. */
  readonly headersMs: number
  /** Until a request has arrived whole. */
  readonly requestMs: number
  /** A connection on which nothing moves for so long is closed, also one whose answer is not read or not ready. */
  readonly idleMs: number
  /** An unused connection is kept for its next request so long. */
  readonly keepAliveMs: number
  /** Connections beyond this number are closed at once. */
  readonly connections: number
}

export const defaultLimits = {
  bodyBytes: 1_048_576,
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 60_000,
  keepAliveMs: 65_000,
  connections: 10_000,
} satisfies HttpLimits

/** A server without routes that takes JSON only, within limits. */
export function bareApp(limits: HttpLimits, respond: ErrorResponder, trustedProxies: readonly string[] = []): App {
  const app = Fastify({
    // The error responder logs; a line per request costs a fifth of the throughput.
    logger: false,
    // Requests that arrive on open connections while stopping are answered like those before them.
    return503OnClosing: false,
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    connectionTimeout: limits.idleMs,
    keepAliveTimeout: limits.keepAliveMs,
    // Ids of callers' own, such as external ones, stand in paths; percent-encoding triples their length.
    routerOptions: { maxParamLength: 2048 },
    http: { headersTimeout: limits.headersMs, connectionsCheckingInterval: 1000, maxHeaderSize: 16_384 },
    genReqId: requestId,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => void respond(error, request, reply),
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.server.maxConnections = limits.connections
  app.decorateRequest('person', undefined)
  app.setValidatorCompiler(compileValidator)
  // No route takes one, and as a method with a body it would be asked for its content type before it is refused.
  app.addHttpMethod('QUERY', { overrideExisting: true })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, parseJsonBody(body as Buffer))
  })
  return app
}

function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && /^[\w.:+/=@-]{1,128}$/.test(given) ? given : randomUUID()
}
