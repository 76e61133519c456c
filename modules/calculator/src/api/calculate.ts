import { type Admission, type App, invalidRequest, problemContentType, problemOf, type Reply } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'
import { errors } from '../contract.ts'
import { ExpressionError } from '../domain/expression-error.ts'
import { parse } from '../domain/parse.ts'
import { calculateSchema } from './http-shapes.ts'
import { userOf } from './owner.ts'
import type { Submitting } from './submitting.ts'

export interface CalculateNeeds {
  readonly submitting: Submitting
  readonly limitBytes: number
  readonly syntaxErrorStatus: number
  readonly admit: Admission['onRequest']
}

/** Adds `POST /api/v1/calculate`. */
export function addCalculateRoute(app: App, needs: CalculateNeeds): void {
  app.post(
    '/api/v1/calculate',
    { config: { access: 'token' }, onRequest: needs.admit, schema: calculateSchema },
    async (request, reply) => {
      const userId = userOf(request)
      const { expression: raw } = request.body
      requireSize(raw, needs.limitBytes)
      const graph = graphOf(raw)
      if (graph instanceof ExpressionError) return refuse(reply, graph, needs.syntaxErrorStatus)
      const header = request.headers['idempotency-key']
      const keyed = { header, method: 'POST', route: '/api/v1/calculate', body: { expression: raw } }
      return needs.submitting.submit({ userId, raw, graph }, keyed)
    },
  )
}

function requireSize(raw: string, limitBytes: number): void {
  if (raw.length <= limitBytes && Buffer.byteLength(raw) <= limitBytes) return
  throw invalidRequest(`expression is longer than ${limitBytes} bytes`)
}

function graphOf(raw: string) {
  try {
    return parse(raw)
  } catch (error) {
    if (error instanceof ExpressionError) return error
    throw error
  }
}

/** Answered here and not thrown: whatever its status is, it is the caller's fault and nothing to be logged. */
function refuse(reply: Reply, { message, position }: ExpressionError, status: number) {
  const code = 'INVALID_EXPRESSION'
  const definition = { ...errors[code], status }
  const error = new PlatformError({ code, definition }, `invalid expression: ${message}`, { details: { position } })
  return reply
    .code(status)
    .type(problemContentType)
    .header('x-request-id', reply.request.id)
    .serializer(String)
    .send(JSON.stringify(problemOf(error, reply.request.id)))
}
