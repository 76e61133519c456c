import { databaseNowMs } from '@headrace/database'
import { type Delivery, type Handle, MessageError, PoisonMessageError } from '@headrace/inbox'
import type { Live } from '@headrace/live'
import { type PaymentFact, readPaymentFact } from '@headrace/payments/contract'
import { decide, evolve, type Payment } from '../domain/order.ts'
import { lockOrders } from '../store/orders.ts'
import { changeOrder } from '../tell.ts'

export interface PaymentEventNeeds {
  readonly live: Live
  /** Time in ms from paid to completed; 0 = orders stay paid. */
  readonly completeAfterMs: number
}

/** Handles what payments tell: orders become paid, wait, or fail. */
export function handlePaymentEvents({ live, completeAfterMs }: PaymentEventNeeds): Handle {
  return async (tx, messages) => {
    const facts = messages.flatMap(factOf)
    if (facts.length === 0) return
    const ids = [...new Set(facts.map(({ fact }) => fact.orderId))]
    const [found, nowMs] = await Promise.all([lockOrders(tx, ids), databaseNowMs(tx)])
    const completeAtMs = completeAfterMs === 0 ? undefined : nowMs + completeAfterMs
    const orders = new Map(found.map((order) => [order.id, order]))
    for (const { messageId, fact } of facts) {
      const order = orders.get(fact.orderId)
      if (order === undefined) throw new MessageError(messageId, new PoisonMessageError(`no order ${fact.orderId}`))
      const events = decide(order, { kind: 'payment', payment: paymentOf(fact, completeAtMs) })
      if (events.length === 0) continue
      const next = { ...order, ...events.reduce(evolve, order), updatedAt: new Date(nowMs) }
      orders.set(order.id, next)
      changeOrder(tx, live, next)
    }
  }
}

function paymentOf({ type, paymentId, errorMessage }: PaymentFact, completeAtMs: number | undefined): Payment {
  switch (type) {
    case 'payment.pending':
      return { kind: 'pending', paymentId }
    case 'payment.completed':
      return { kind: 'completed', paymentId, ...(completeAtMs !== undefined && { completeAtMs }) }
    case 'payment.failed':
      return { kind: 'failed', paymentId, reason: errorMessage }
    default:
      return type satisfies never
  }
}

function factOf(message: Delivery): { readonly messageId: string; readonly fact: PaymentFact }[] {
  try {
    const fact = readPaymentFact(message.body)
    return fact === undefined ? [] : [{ messageId: message.id, fact }]
  } catch (cause) {
    throw new MessageError(message.id, new PoisonMessageError('the body is no event of a payment', cause))
  }
}
