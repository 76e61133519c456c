import type { Live } from '@headrace/live'
import type { LogTransaction } from '@headrace/log'
import { toMessage, wireAmount } from '@headrace/payments/contract'
import type { Order } from './domain/order.ts'
import { changedOrders, type StoredOrder } from './store/orders.ts'
import { type OrderEventType, ordersTopic } from './wire/order-event.ts'
import { orderView } from './wire/order-view.ts'

/** The subject of a user's stream. */
export function streamOf(userId: string): string {
  return `orders:${userId}`
}

/** Tells the user's open pages how an order stands. */
export function showOrder(tx: LogTransaction, live: Live, order: StoredOrder): void {
  live.publish(tx, { subject: streamOf(order.userId), event: 'order-update', data: orderView(order) })
}

/** Writes how an order stands now with COMMIT, and tells the user's open pages. */
export function changeOrder(tx: LogTransaction, live: Live, order: StoredOrder): void {
  tx.collect(changedOrders, order)
  showOrder(tx, live, order)
}

export interface OrderNews {
  readonly type: OrderEventType
  readonly eventId: string
  readonly order: Order
  readonly atMs: number
  readonly trace: string | undefined
}

/** Tells payments what became of an order. */
export function tellPayments(tx: LogTransaction, { type, eventId, order, atMs, trace }: OrderNews): void {
  const { id, userId, amountMinor, currency } = order
  const data = { order_id: id, user_id: userId, amount: wireAmount(amountMinor), currency }
  tx.append(toMessage({ topic: ordersTopic, type, id: eventId, orderId: id, data, atMs, trace }))
}
