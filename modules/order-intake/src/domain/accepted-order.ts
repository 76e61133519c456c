import type { Payload } from './amount.ts'

/** An order as the api has accepted it. */
export interface AcceptedOrder {
  readonly orderId: string
  readonly userId: string
  readonly externalId: string | undefined
  readonly amountMinor: number
  readonly payload: Payload
  /** `new` until what was accepted last is acknowledged. */
  readonly status: 'new' | 'done' | 'deleted'
  readonly createdAt: string
  readonly updatedAt: string
  /** The event of the last accepted request, until it is acknowledged. */
  readonly pendingEventId: string | undefined
  /** False until any of its events was applied. */
  readonly isApplied: boolean
}

/** What a request wants done. */
export type OrderRequest =
  | {
      readonly kind: 'create' | 'update'
      readonly orderId: string
      readonly userId: string
      readonly payload: Payload
      readonly amountMinor: number
      readonly externalId: string | undefined
    }
  | { readonly kind: 'delete'; readonly orderId: string; readonly userId: string | undefined }

/** What becomes of a request, once the order that it names was looked up. */
export type Acceptance =
  | { readonly kind: 'accepted'; readonly as: 'created' | 'updated' | 'deleted'; readonly order: AcceptedOrder }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'deleted' }

export interface AcceptedAs {
  readonly eventId: string
  /** RFC 3339. */
  readonly at: string
}

/** Decides about a request. Another user's order is unknown to it. */
export function decideRequest(order: AcceptedOrder | undefined, request: OrderRequest, as: AcceptedAs): Acceptance {
  if (request.kind === 'create') return { kind: 'accepted', as: 'created', order: created(request, as) }
  if (order === undefined || (request.userId !== undefined && order.userId !== request.userId)) {
    return { kind: 'unknown' }
  }
  const changed = { ...order, updatedAt: as.at, pendingEventId: as.eventId }
  if (request.kind === 'delete') {
    // Deleting twice is deleting once; the worker says so again.
    const kept = order.status === 'deleted' ? order : { ...changed, status: 'deleted' as const }
    return { kind: 'accepted', as: 'deleted', order: kept }
  }
  if (order.status === 'deleted') return { kind: 'deleted' }
  const { payload, amountMinor } = request
  const externalId = request.externalId ?? order.externalId
  return { kind: 'accepted', as: 'updated', order: { ...changed, payload, amountMinor, externalId, status: 'new' } }
}

function created(
  request: OrderRequest & { readonly kind: 'create' | 'update' },
  { eventId, at }: AcceptedAs,
): AcceptedOrder {
  const { orderId, userId, payload, amountMinor, externalId } = request
  const times = { createdAt: at, updatedAt: at, pendingEventId: eventId, isApplied: false }
  return { orderId, userId, externalId, amountMinor, payload, status: 'new', ...times }
}
