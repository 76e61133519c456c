import type { FastifyReply, FastifyRequest } from 'fastify'
import { isLoopback } from './access.ts'

/** Tells whether a page from this origin may read our answers. */
export type OriginRule = (origin: string) => boolean

/** The rule for a list of origins; `*` is any. */
export function listedOrigins(origins: readonly string[]): OriginRule {
  if (origins.includes('*')) return () => true
  const allowed = new Set(origins)
  return (origin) => allowed.has(origin)
}

/** Any origin on this machine, on any port. */
export const loopbackOrigins: OriginRule = (origin) => URL.canParse(origin) && isLoopback(new URL(origin).hostname)

/** No origin but the page's own, which needs no permission. */
export const noOrigins: OriginRule = () => false

/** Adds the headers of CORS (Fetch standard) to an answer. Called only for requests that have an `Origin`. */
export function applyCors(reply: FastifyReply, origin: string, isAllowed: OriginRule): void {
  reply.header('vary', 'origin')
  if (!isAllowed(origin)) return
  reply.header('access-control-allow-origin', origin)
  reply.header(
    'access-control-expose-headers',
    'etag, link, location, preference-applied, retry-after, x-cache, x-request-id',
  )
}

const preflightHeaders = {
  'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
  'access-control-allow-headers':
    'authorization, content-type, idempotency-key, if-none-match, last-event-id, prefer, traceparent, x-request-id',
  // Seconds. Browsers cap it themselves; the rule changes only with a restart.
  'access-control-max-age': '600',
}

/** Tells whether a request that has an `Origin` asks for permission only. */
export function isPreflight(request: FastifyRequest): boolean {
  return request.method === 'OPTIONS' && request.raw.headers['access-control-request-method'] !== undefined
}

/** Answers a preflight, whatever the route and before anybody asks for a token, which a preflight cannot carry. */
export function answerPreflight(reply: FastifyReply): FastifyReply {
  const isAllowed = reply.hasHeader('access-control-allow-origin')
  return reply
    .code(204)
    .headers(isAllowed ? preflightHeaders : {})
    .send()
}
