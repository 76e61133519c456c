import type { PlatformError } from '@headrace/runtime'
import type { FastifyReply } from 'fastify'
import { problemContentType, problemOf } from './problem.ts'

/** Says in an answer whose fault it is; also to a gateway that hands it on. */
const faultHeader = 'headrace-fault'

/**
 * Answers an error that is the caller's fault although its status says otherwise, because clients expect that status:
 * nothing is logged, and it is counted as a 400, by every process that it passes.
 */
export function answerCallersFault(reply: FastifyReply, error: PlatformError): FastifyReply {
  return reply
    .code(error.definition.status)
    .header('x-request-id', reply.request.id)
    .header(faultHeader, 'caller')
    .type(problemContentType)
    .serializer(String)
    .send(JSON.stringify(problemOf(error, reply.request.id)))
}

/** The status as which an answer is counted. */
export function countedStatus(reply: FastifyReply): number {
  return reply.statusCode >= 500 && reply.getHeader(faultHeader) === 'caller' ? 400 : reply.statusCode
}
