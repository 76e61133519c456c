import { atMostEvery, type Logger, type PlatformError } from '@headrace/runtime'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { asPlatformError } from './as-platform-error.ts'
import { problemContentType, problemHeaders, problemOf } from './problem.ts'

export type ErrorResponder = (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply

/**
 * Answers errors as problems. The cause of a fault of ours is logged under the request id; of a 503, which comes in
 * crowds when something is away, one line a second and code.
 */
export function errorResponder(logger: Logger): ErrorResponder {
  const shouldLog = atMostEvery(1_000)
  return (thrown, request, reply) => {
    const error = asPlatformError(thrown)
    const { status } = error.definition
    if (status >= 500 && (status !== 503 || shouldLog(error.code))) logFault(logger, error, request)
    // Sent as text, so that no response schema of the route can drop or refuse a member.
    return reply
      .code(status)
      .headers(problemHeaders(error))
      .header('x-request-id', request.id)
      .type(problemContentType)
      .send(JSON.stringify(problemOf(error, request.id)))
  }
}

function logFault(logger: Logger, error: PlatformError, request: FastifyRequest): void {
  const facts = { requestId: request.id, method: request.method, route: request.routeOptions.url ?? '', error }
  if (error.definition.status === 503) logger.warn(`answered ${error.code.toLowerCase()}`, facts)
  else logger.error('a request failed', facts)
}
