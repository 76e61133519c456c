import { wireAmount } from '@headrace/payments/contract'
import type { OrderStatus } from '../domain/order.ts'
import type { StoredOrder } from '../store/orders.ts'

/** An order as its owner sees it. */
export interface OrderView {
  readonly id: string
  readonly userID: string
  readonly amount: number
  readonly currency: string
  readonly status: OrderStatus
  readonly paymentID: string
  readonly errorReason: string
  readonly createdAt: string
  readonly updatedAt: string
}

export function orderView(order: StoredOrder): OrderView {
  return {
    id: order.id,
    userID: order.userId,
    amount: wireAmount(order.amountMinor),
    currency: order.currency,
    status: order.status,
    paymentID: order.paymentId,
    errorReason: order.errorReason,
    createdAt: order.createdAt.toISOString(),
    updatedAt: order.updatedAt.toISOString(),
  }
}
