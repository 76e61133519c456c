import { databaseNowMs } from '@headrace/database'
import { type Delivery, type Handle, MessageError, PoisonMessageError } from '@headrace/inbox'
import { type OrderFact, readOrderFact } from '@headrace/orders/contract'
import type { Charge } from '../domain/payment.ts'
import { Till } from '../domain/till.ts'
import { settle } from '../settle.ts'
import { lockAccounts } from '../store/accounts.ts'
import { lockPayments } from '../store/payments.ts'
import { eventTimeMs } from '../wire/envelope.ts'

export interface OrderEventNeeds {
  readonly newId: () => string
  /** How long a payment waits for money, counted from its order, in ms. */
  readonly timeoutMs: number
}

/** An order's event, with the charge that it speaks of. */
interface Read {
  readonly type: OrderFact['type']
  readonly charge: Charge
  readonly trace: string | undefined
}

/** Handles what orders tell: `order.created` asks for money, `order.cancelled` takes that back. */
export function handleOrderEvents({ newId, timeoutMs }: OrderEventNeeds): Handle {
  return async (tx, messages) => {
    const events = messages.flatMap((message) => read(message, timeoutMs))
    if (events.length === 0) return
    const orderIds = events.map(({ charge }) => charge.orderId)
    const cancelled = events.filter(({ type }) => type === 'order.cancelled')
    const waitingOf = cancelled.map(({ charge }) => charge.userId)
    const [purses, payments, nowMs] = await Promise.all([
      lockAccounts(tx, { userIds: events.map(({ charge }) => charge.userId), orderIds }),
      lockPayments(tx, { orderIds, waitingOf }),
      databaseNowMs(tx),
    ])
    const till = new Till({ purses, payments, newId, nowMs })
    for (const { type, charge } of events) {
      if (type === 'order.created') till.charge(charge)
      else till.cancel(charge)
    }
    const traces = new Map(events.map(({ charge, trace }) => [charge.orderId, trace]))
    settle(tx, till, { newId, nowMs, traceOf: (orderId) => traces.get(orderId) })
  }
}

function read(message: Delivery, timeoutMs: number): Read[] {
  const fact = factOf(message)
  if (fact === undefined) return []
  const { type, ...order } = fact
  const charge = { ...order, dueAtMs: eventTimeMs(message) + timeoutMs }
  return [{ type, charge, trace: message.headers['traceparent'] }]
}

function factOf(message: Delivery): OrderFact | undefined {
  try {
    return readOrderFact(message.body)
  } catch (cause) {
    throw new MessageError(message.id, new PoisonMessageError('the body is no event of an order', cause))
  }
}
