import type { PlatformError } from '@headrace/runtime'
import type { FastifyReply } from 'fastify'
import { problemContentType, problemOf } from './problem.ts'

const callersFaults = new WeakSet<FastifyReply>()

/**
 * Answers an error that is the caller's fault although its status says otherwise, because clients expect that status:
 * nothing is logged, and it is counted as a 400.
 */
export function answerCallersFault(reply: FastifyReply, error: PlatformError): FastifyReply {
  callersFaults.add(reply)
  return reply
    .code(error.definition.status)
    .header('x-request-id', reply.request.id)
    .type(problemContentType)
    .serializer(String)
    .send(JSON.stringify(problemOf(error, reply.request.id)))
}

/** The status as which an answer is counted. */
export function countedStatus(reply: FastifyReply): number {
  return callersFaults.has(reply) ? 400 : reply.statusCode
}
