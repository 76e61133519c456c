import { type App, invalidRequest, parseJsonBody, type StoredResponse } from '@headrace/http-kit'
import { childTrace, formatTraceparent, messageOf, parseTraceparent } from '@headrace/runtime'
import type { Placement } from '../api/place-orders.ts'
import type { OrderRequest } from '../domain/accepted-order.ts'
import { type OrderBody, type OrderIntent, readOrderBody } from '../domain/order-body.ts'
import { placeSchema } from '../http-shapes.ts'
import { type GuardedRequest, requiredUser } from './acting.ts'

/** Adds `POST /orders`. */
export function addPlaceRoute(app: App, place: (placement: Placement) => Promise<StoredResponse>): void {
  app.post('/orders', { config: { access: 'person' }, schema: placeSchema }, async (request, reply) => {
    // The schema has checked its types; what a record's values are is not its business.
    const body = request.body as OrderBody
    const userId = requiredUser(request, body.user_id)
    const intent = readOrderBody(body, parsePayload)
    if (intent.kind === 'malformed') throw invalidRequest(intent.reason)
    const isAsync = prefersAsync(request)
    const { status, body: answer } = await place({
      request: (newOrderId) => requestOf(intent, userId, newOrderId),
      trace: continuedTrace(request.headers['traceparent']),
      wait: request.query.wait !== false && !isAsync,
      key: { header: request.headers['idempotency-key'], caller: userId, body: request.body },
    })
    // Made by ourselves, so it has the shape of an answer.
    const { order_id: orderId } = answer as { readonly order_id: string }
    if (status === 202) reply.header('location', `/orders/${orderId}`)
    if (isAsync) reply.header('preference-applied', 'respond-async')
    return reply.code(status as 200).send(answer as { order_id: string; status: never })
  })
}

function requestOf(
  intent: Exclude<OrderIntent, { kind: 'malformed' }>,
  userId: string,
  newOrderId: string,
): OrderRequest {
  if (intent.kind === 'delete') return { ...intent, userId }
  const { orderId, ...rest } = intent
  return { ...rest, userId, kind: orderId === undefined ? 'create' : 'update', orderId: orderId ?? newOrderId }
}

function parsePayload(text: string): unknown {
  try {
    return parseJsonBody(Buffer.from(text))
  } catch (error) {
    throw invalidRequest(`payload_json: ${messageOf(error)}`)
  }
}

/** RFC 7240 §4.1 */
function prefersAsync({ headers }: GuardedRequest): boolean {
  const { prefer } = headers
  const written = Array.isArray(prefer) ? prefer.join(',') : (prefer ?? '')
  return written.split(/[,;]/).some((preference) => preference.trim().toLowerCase() === 'respond-async')
}

/** The trace that a request belongs to goes on with its message. */
function continuedTrace(header: unknown): string | undefined {
  const parent = header === undefined ? undefined : parseTraceparent(header)
  return parent === undefined ? undefined : formatTraceparent(childTrace(parent))
}
