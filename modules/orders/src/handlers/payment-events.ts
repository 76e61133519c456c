import { databaseNowMs } from '@headrace/database'
import { type Delivery, type Handle, MessageError, PoisonMessageError } from '@headrace/inbox'
import type { Live } from '@headrace/live'
import { type PaymentFact, readPaymentFact } from '@headrace/payments/contract'
import { decide, evolve, type OrderEvent, type Payment } from '../domain/order.ts'
import { lockOrders, type StoredOrder, updateOrders } from '../store/orders.ts'
import { showOrder } from '../tell.ts'

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
    const steps: StoredOrder[] = []
    for (const { messageId, fact } of facts) {
      const order = orders.get(fact.orderId)
      if (order === undefined) throw new MessageError(messageId, new PoisonMessageError(`no order ${fact.orderId}`))
      for (const event of decide(order, { kind: 'payment', payment: paymentOf(fact, completeAtMs) })) {
        steps.push(step(orders, event, fact.orderId))
      }
    }
    if (steps.length === 0) return
    const changed = [...new Set(steps.map(({ id }) => id))].flatMap((id) => orders.get(id) ?? [])
    const updatedAt = new Map((await updateOrders(tx, changed)).map((order) => [order.id, order.updatedAt]))
    for (const order of steps) showOrder(tx, live, { ...order, updatedAt: updatedAt.get(order.id) ?? order.updatedAt })
  }
}

function step(orders: Map<string, StoredOrder>, event: OrderEvent, id: string): StoredOrder {
  const order = orders.get(id)
  if (order === undefined) throw new TypeError(`order ${id} is not locked`)
  const next = { ...order, ...evolve(order, event) }
  orders.set(id, next)
  return next
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
