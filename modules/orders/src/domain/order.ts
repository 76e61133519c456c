export type OrderStatus = 'created' | 'payment_pending' | 'paid' | 'payment_failed' | 'cancelled' | 'completed'

export interface Order {
  readonly id: string
  readonly userId: string
  readonly amountMinor: number
  readonly currency: string
  readonly status: OrderStatus
  /** Empty until a payment is known. */
  readonly paymentId: string
  /** Why its payment failed; else empty. */
  readonly errorReason: string
  /** When a paid order completes, in ms since the epoch; absent where it stays paid. */
  readonly completeAtMs?: number
}

/** An order of which payments have told nothing yet. */
export function placed(order: Pick<Order, 'id' | 'userId' | 'amountMinor' | 'currency'>): Order {
  return { ...order, status: 'created', paymentId: '', errorReason: '' }
}

/** What payments have told of an order. */
export type Payment =
  | { readonly kind: 'pending'; readonly paymentId: string }
  | { readonly kind: 'completed'; readonly paymentId: string; readonly completeAtMs?: number }
  | { readonly kind: 'failed'; readonly paymentId: string; readonly reason: string }

export type OrderCommand =
  | { readonly kind: 'payment'; readonly payment: Payment }
  | { readonly kind: 'complete'; readonly nowMs: number }

export type OrderEvent =
  | { readonly kind: 'waited'; readonly paymentId: string }
  | { readonly kind: 'paid'; readonly paymentId: string; readonly completeAtMs?: number }
  | { readonly kind: 'failed'; readonly paymentId: string; readonly reason: string }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'completed' }

/** What becomes of the wish to cancel. */
export type Cancellation =
  | { readonly kind: 'cancelled'; readonly event: OrderEvent }
  /** It was cancelled before: the wish has come true already. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'too-late' }

/**
 * What follows from a command. Final states are final, whatever arrives late or twice:
 *
 *     created ──► payment_pending ──► paid ──► completed
 *        └──────────────┬─► payment_failed
 *                       └─► cancelled
 */
export function decide(order: Order, command: OrderCommand): OrderEvent[] {
  if (command.kind === 'complete') return isDue(order, command.nowMs) ? [{ kind: 'completed' }] : []
  if (!isOpen(order)) return []
  const { payment } = command
  switch (payment.kind) {
    case 'pending':
      return order.status === 'created' ? [{ kind: 'waited', paymentId: payment.paymentId }] : []
    case 'completed':
      return [{ ...payment, kind: 'paid' }]
    case 'failed':
      return [payment]
    default:
      return payment satisfies never
  }
}

/** Cancelling is possible until the order is known to be paid. */
export function decideCancel(order: Order): Cancellation {
  if (order.status === 'cancelled') return { kind: 'unchanged' }
  return isOpen(order) ? { kind: 'cancelled', event: { kind: 'cancelled' } } : { kind: 'too-late' }
}

/** The order after an event. */
export function evolve(order: Order, event: OrderEvent): Order {
  switch (event.kind) {
    case 'waited':
      return { ...order, status: 'payment_pending', paymentId: event.paymentId }
    case 'paid': {
      const { paymentId, completeAtMs } = event
      return { ...order, status: 'paid', paymentId, ...(completeAtMs !== undefined && { completeAtMs }) }
    }
    case 'failed':
      return { ...order, status: 'payment_failed', paymentId: event.paymentId, errorReason: event.reason }
    case 'cancelled':
      return { ...order, status: 'cancelled' }
    case 'completed':
      return { ...order, status: 'completed' }
    default:
      return event satisfies never
  }
}

/** Whether anything can still become of its payment. */
function isOpen({ status }: Order): boolean {
  return status === 'created' || status === 'payment_pending'
}

function isDue({ status, completeAtMs }: Order, nowMs: number): boolean {
  return status === 'paid' && completeAtMs !== undefined && completeAtMs <= nowMs
}
