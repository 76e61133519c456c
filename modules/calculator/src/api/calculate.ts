import { type Admission, type App, answerCallersFault, invalidRequest } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'
import { errors } from '../contract.ts'
import { ExpressionError } from '../domain/expression-error.ts'
import { parse } from '../domain/parse.ts'
import { calculateSchema } from './http-shapes.ts'
import { userOf } from './owner.ts'
import type { Submitting } from './submitting.ts'
import type { TextInFlight } from './text-in-flight.ts'

export interface CalculateNeeds {
  readonly submitting: Submitting
  readonly text: TextInFlight
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
      using _room = needs.text.enter(raw)
      const graph = graphOf(raw)
      if (graph instanceof ExpressionError)
        return answerCallersFault(reply, syntaxError(graph, needs.syntaxErrorStatus))
      const header = request.headers['idempotency-key']
      const keyed = { header, method: 'POST', route: '/api/v1/calculate', body: { expression: raw } }
      return await needs.submitting.submit({ userId, raw, graph }, keyed)
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

/** Whatever its status is, it is the caller's fault. */
function syntaxError({ message, position }: ExpressionError, status: number): PlatformError {
  const code = 'INVALID_EXPRESSION'
  const definition = { ...errors[code], status }
  return new PlatformError({ code, definition }, `invalid expression: ${message}`, { details: { position } })
}
