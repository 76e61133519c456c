import type { AcceptedOrder } from './accepted-order.ts'
import type { Payload } from './amount.ts'

/** The order as the worker holds it after an event. */
export interface AppliedResult {
  readonly userId: string
  readonly amountMinor: number
  readonly payload: Payload
  readonly orderStatus: 'done' | 'deleted'
  readonly createdAt: string
  readonly updatedAt: string
}

/** What the worker says of an event. */
export interface Acknowledgement {
  readonly orderId: string
  readonly eventId: string
  readonly status: 'created' | 'updated' | 'deleted' | 'rejected'
  readonly code: string | undefined
  /** The external id of a foreign event, which the api has not seen. */
  readonly externalId: string | undefined
  readonly result: AppliedResult | undefined
}

/** What an acknowledgement makes of an order; undefined: there is none any more. */
export type Acknowledged = AcceptedOrder | undefined

/**
 * Takes an acknowledgement over. Those of one order come in the order in which the worker has applied its events: while
 * a request of ours is on its way what it wants counts, after that what the worker holds. Deleted stays deleted.
 */
export function acknowledge(order: AcceptedOrder | undefined, ack: Acknowledgement): Acknowledged {
  const { eventId } = ack
  if (order === undefined) return ack.result && foreignOrder(ack, ack.result)
  // What the worker holds under the same id may be somebody else's, who was faster.
  const result = ack.result?.userId.toLowerCase() === order.userId.toLowerCase() ? ack.result : undefined
  const isAwaited = order.pendingEventId === eventId
  if (result === undefined) {
    // Its very first event was refused: it never was.
    if (isAwaited && !order.isApplied) return undefined
    return isAwaited ? { ...order, pendingEventId: undefined } : order
  }
  const known = { ...order, isApplied: true }
  if (order.status === 'deleted' || result.orderStatus === 'deleted') return deleted(known, ack, isAwaited)
  const isPending = order.pendingEventId !== undefined && !isAwaited
  return isPending ? known : settled(known, ack, result)
}

function settled(order: AcceptedOrder, ack: Acknowledgement, result: AppliedResult): AcceptedOrder {
  return {
    ...order,
    payload: result.payload,
    amountMinor: result.amountMinor,
    externalId: nameIn(ack) ?? order.externalId,
    status: 'done',
    updatedAt: result.updatedAt,
    pendingEventId: undefined,
  }
}

function deleted(order: AcceptedOrder, { result }: Acknowledgement, isAwaited: boolean): AcceptedOrder {
  const pendingEventId = isAwaited ? undefined : order.pendingEventId
  if (result?.orderStatus !== 'deleted') return { ...order, pendingEventId }
  const { payload, amountMinor, updatedAt } = result
  return { ...order, payload, amountMinor, status: 'deleted', updatedAt, pendingEventId }
}

/** An order that somebody else has sent to the worker. */
function foreignOrder(ack: Acknowledgement, result: AppliedResult): AcceptedOrder {
  const { userId, amountMinor, payload, orderStatus: status, createdAt, updatedAt } = result
  const own = { orderId: ack.orderId, externalId: nameIn(ack), pendingEventId: undefined, isApplied: true }
  return { userId, amountMinor, payload, status, createdAt, updatedAt, ...own }
}

/** A rejected event gives its order nothing, and may be somebody else's. */
function nameIn({ status, externalId }: Acknowledgement): string | undefined {
  return status === 'rejected' ? undefined : externalId
}
