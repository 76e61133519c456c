import type { LogTransaction } from '@headrace/log'
import { moduleError, PlatformError } from '@headrace/runtime'
import { errors } from '../contract.ts'
import { type AcceptedOrder, decideRequest, type OrderRequest } from '../domain/accepted-order.ts'
import type { OrderEvent } from '../domain/order-event.ts'
import { databaseTime, lockOrders, saveOrders } from '../store/accepted-orders.ts'
import { insertEvent, type SentEvent } from '../store/events.ts'
import { claimNames, type ExternalName, freeNames } from '../store/external-ids.ts'
import { payloadBytes, payloadLimitBytes } from '../wire/sizes.ts'

export interface AcceptNeeds {
  readonly eventsTopic: string
  readonly messageLimitBytes: number
}

export interface AcceptOptions {
  readonly eventId: string
  /** The `traceparent` of the request. */
  readonly trace: string | undefined
}

/**
 * Accepts a request: the order, its external id and the event for the worker, in one transaction. Throws `NOT_FOUND`,
 * `ORDER_DELETED`, `EXTERNAL_ID_TAKEN` or `MESSAGE_TOO_LARGE`, and then nothing is accepted.
 */
export async function acceptRequest(
  tx: LogTransaction,
  needs: AcceptNeeds,
  request: OrderRequest & AcceptOptions,
): Promise<SentEvent> {
  const { eventId } = request
  // A new order's id is known to nobody else.
  const known = request.kind === 'create' ? [] : lockOrders(tx, [request.orderId])
  const [at, [before]] = await Promise.all([databaseTime(tx), known])
  const decision = decideRequest(before, request, { eventId, at })
  if (decision.kind === 'unknown') throw new PlatformError('NOT_FOUND', 'there is no such order')
  if (decision.kind === 'deleted') {
    throw new PlatformError(moduleError(errors, 'ORDER_DELETED'), `the order ${request.orderId} is deleted`)
  }
  const { order, as: kind } = decision
  const event = { eventId, orderId: order.orderId, kind }
  // Not awaited, so that they share a flight; what fails here fails the transaction.
  saveOrders(tx, [order]).catch(() => {})
  insertEvent(tx, event).catch(() => {})
  sendEvent(tx, needs, { ...request, order, at })
  await moveName(tx, nameOf(before), nameOf(order))
  return event
}

/** The external id that an order holds: none when it is deleted. */
export function nameOf(order: AcceptedOrder | undefined): ExternalName | undefined {
  if (order?.externalId === undefined || order.status === 'deleted') return undefined
  return { userId: order.userId, externalId: order.externalId, orderId: order.orderId }
}

/** In the order of names, so that two that exchange theirs do not wait for each other. */
async function moveName(
  tx: LogTransaction,
  from: ExternalName | undefined,
  to: ExternalName | undefined,
): Promise<void> {
  if (from?.externalId === to?.externalId) return
  const isFreedFirst = (from?.externalId ?? '') < (to?.externalId ?? '')
  const free = () => (from === undefined ? Promise.resolve() : freeNames(tx, [from]))
  if (isFreedFirst) free().catch(() => {})
  if (to !== undefined) await claimName(tx, to)
  if (!isFreedFirst) free().catch(() => {})
}

async function claimName(tx: LogTransaction, name: ExternalName): Promise<void> {
  const claimed = await claimNames(tx, [name])
  if (claimed.length > 0) return
  const text = `external_id '${name.externalId}' belongs to another order of this user`
  throw new PlatformError(moduleError(errors, 'EXTERNAL_ID_TAKEN'), text)
}

function sendEvent(
  tx: LogTransaction,
  { eventsTopic, messageLimitBytes }: AcceptNeeds,
  { eventId, trace, order, at }: AcceptOptions & { readonly order: AcceptedOrder; readonly at: string },
): void {
  const [bytes, limitBytes] = [payloadBytes(order.payload), payloadLimitBytes(messageLimitBytes)]
  if (bytes > limitBytes) {
    throw new PlatformError('MESSAGE_TOO_LARGE', `the payload has ${bytes} bytes as JSON, more than ${limitBytes}`)
  }
  const event: OrderEvent = {
    order_id: order.orderId,
    external_id: order.externalId ?? null,
    user_id: order.userId,
    payload: order.payload,
    status: order.status === 'deleted' ? 'deleted' : 'new',
    timestamp: at,
  }
  const body = Buffer.from(JSON.stringify(event))
  const headers = trace === undefined ? {} : { traceparent: trace }
  tx.append({ topic: eventsTopic, id: eventId, key: order.orderId, type: 'orders.event', headers, body })
}
