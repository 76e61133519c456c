import { type Payload, readAmount } from './amount.ts'
import type { OrderEvent } from './order-event.ts'

/** An order as the worker has applied it. */
export interface AppliedOrder {
  readonly orderId: string
  readonly userId: string
  readonly externalId: string | undefined
  readonly amountMinor: number
  readonly payload: Payload
  readonly status: 'done' | 'deleted'
  readonly createdAt: string
  readonly updatedAt: string
}

/** Why an event changes nothing; each is an error code on the wire. */
export type Refusal = 'order_deleted' | 'forbidden' | 'invalid_request' | 'message_too_large'

/** What an event does to an order. */
export type Application =
  | { readonly kind: 'applied'; readonly as: 'created' | 'updated' | 'deleted'; readonly order: AppliedOrder }
  /** The order stays as it is, if there is one. */
  | { readonly kind: 'unchanged'; readonly order: AppliedOrder }
  | { readonly kind: 'rejected'; readonly code: Refusal; readonly order: AppliedOrder | undefined }

/**
 * Applies an event. An order is created by its first event, whatever that is; a deleted one stays deleted, whatever
 * comes later or twice.
 */
export function applyEvent(order: AppliedOrder | undefined, event: OrderEvent): Application {
  if (order !== undefined && order.userId !== event.user_id) return { kind: 'rejected', code: 'forbidden', order }
  if (event.status === 'deleted') return applyDeletion(order, event)
  if (order?.status === 'deleted') return { kind: 'rejected', code: 'order_deleted', order }
  const payload = event.payload ?? {}
  const amount = readAmount(payload)
  if (amount.kind === 'invalid') return { kind: 'rejected', code: 'invalid_request', order }
  const applied: AppliedOrder = {
    orderId: event.order_id,
    userId: event.user_id,
    externalId: event.external_id ?? order?.externalId,
    amountMinor: amount.minor,
    payload,
    status: 'done',
    createdAt: order?.createdAt ?? event.timestamp,
    updatedAt: event.timestamp,
  }
  return { kind: 'applied', as: order === undefined ? 'created' : 'updated', order: applied }
}

function applyDeletion(order: AppliedOrder | undefined, event: OrderEvent): Application {
  if (order?.status === 'deleted') return { kind: 'unchanged', order }
  const known = order ?? tombstone(event)
  return { kind: 'applied', as: 'deleted', order: { ...known, status: 'deleted', updatedAt: event.timestamp } }
}

/** Stands for an order whose deletion came first, so that nothing that comes later creates it. */
function tombstone(event: OrderEvent): AppliedOrder {
  const payload = event.payload ?? {}
  const amount = readAmount(payload)
  return {
    orderId: event.order_id,
    userId: event.user_id,
    externalId: event.external_id ?? undefined,
    amountMinor: amount.kind === 'amount' ? amount.minor : 0,
    payload,
    status: 'deleted',
    createdAt: event.timestamp,
    updatedAt: event.timestamp,
  }
}
