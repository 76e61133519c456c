export type PaymentStatus = 'pending' | 'completed' | 'failed' | 'refunded'

/** Why a payment failed, as orders and people are told. */
export const failureReasons = {
  unknownAccount: 'Account not found',
  timedOut: 'Payment timed out',
  cancelled: 'Order cancelled',
} as const

export type FailureReason = (typeof failureReasons)[keyof typeof failureReasons]

/** What an order asks to be paid. */
export interface Charge {
  readonly orderId: string
  readonly userId: string
  readonly amountMinor: number
  readonly currency: string
  /** When it fails unless money has arrived, in ms since the epoch. */
  readonly dueAtMs: number
}

/** The one payment of an order. */
export interface Payment extends Charge {
  readonly id: string
  readonly status: PaymentStatus
  /** The movement that took the money; on completed and refunded payments. */
  readonly transactionId?: string
  readonly errorMessage?: string
}

export type PaymentCommand =
  /** The order asks to be paid; the balance is undefined where the account is unknown. */
  | {
      readonly kind: 'charge'
      readonly charge: Charge
      readonly balanceMinor: number | undefined
      readonly nowMs: number
    }
  /** Money arrived on the account. */
  | { readonly kind: 'retry'; readonly balanceMinor: number; readonly nowMs: number }
  /** Its deadline may have passed. */
  | { readonly kind: 'expire'; readonly nowMs: number }
  /** The order was cancelled; it may not have asked to be paid yet. */
  | { readonly kind: 'cancel'; readonly charge: Charge }

export type PaymentEvent =
  | { readonly kind: 'requested'; readonly paymentId: string; readonly charge: Charge }
  | { readonly kind: 'completed'; readonly transactionId: string }
  | { readonly kind: 'failed'; readonly reason: FailureReason }
  | { readonly kind: 'refunded'; readonly transactionId: string }

/**
 * What follows from a command. There is one payment for each order; nothing leads out of failed and refunded:
 *
 *     (none) ── charge ──► pending ── money ──► completed ── cancel ──► refunded
 *        │                    └─ deadline, cancel, no account ─► failed
 *        └─ cancel ─► failed: an order that was cancelled before it asked is never charged
 */
export function decide(payment: Payment | undefined, command: PaymentCommand, newId: () => string): PaymentEvent[] {
  switch (command.kind) {
    case 'charge': {
      if (payment !== undefined) return []
      return [{ kind: 'requested', paymentId: newId(), charge: command.charge }, ...firstTry(command, newId)]
    }
    case 'retry': {
      if (payment?.status !== 'pending' || payment.dueAtMs <= command.nowMs) return []
      return command.balanceMinor >= payment.amountMinor ? [{ kind: 'completed', transactionId: newId() }] : []
    }
    case 'expire': {
      const isOver = payment?.status === 'pending' && payment.dueAtMs <= command.nowMs
      return isOver ? [{ kind: 'failed', reason: failureReasons.timedOut }] : []
    }
    case 'cancel':
      return decideCancel(payment, command.charge, newId)
    default:
      return command satisfies never
  }
}

/** Always made, however late it comes: a backlog must not fail orders that have money. */
function firstTry(
  { charge, balanceMinor, nowMs }: Extract<PaymentCommand, { kind: 'charge' }>,
  newId: () => string,
): PaymentEvent[] {
  if (balanceMinor === undefined) return [{ kind: 'failed', reason: failureReasons.unknownAccount }]
  if (balanceMinor >= charge.amountMinor) return [{ kind: 'completed', transactionId: newId() }]
  return charge.dueAtMs <= nowMs ? [{ kind: 'failed', reason: failureReasons.timedOut }] : []
}

function decideCancel(payment: Payment | undefined, charge: Charge, newId: () => string): PaymentEvent[] {
  const failed = { kind: 'failed', reason: failureReasons.cancelled } as const
  if (payment === undefined) return [{ kind: 'requested', paymentId: newId(), charge }, failed]
  if (payment.status === 'pending') return [failed]
  return payment.status === 'completed' ? [{ kind: 'refunded', transactionId: newId() }] : []
}

/** The payment after an event. */
export function evolve(payment: Payment | undefined, event: PaymentEvent): Payment {
  if (event.kind === 'requested') return { ...event.charge, id: event.paymentId, status: 'pending' }
  if (payment === undefined) throw new TypeError(`a payment that nobody requested was ${event.kind}`)
  switch (event.kind) {
    case 'completed':
      return { ...payment, status: 'completed', transactionId: event.transactionId }
    case 'failed':
      return { ...payment, status: 'failed', errorMessage: event.reason }
    case 'refunded':
      return { ...payment, status: 'refunded' }
    default:
      return event satisfies never
  }
}
