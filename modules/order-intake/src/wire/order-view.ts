import type { Payload } from '../domain/amount.ts'
import type { StoredOrder } from '../store/accepted-orders.ts'

/** An order as it is answered. */
export interface OrderView {
  readonly order_id: string
  readonly user_id: string
  readonly external_id?: string
  readonly amount: number
  readonly status: 'new' | 'done' | 'deleted'
  readonly payload_json: Payload
  /** RFC 3339. */
  readonly created_at: string
  readonly updated_at: string
  /** 0 to 3. */
  readonly bucket: number
}

export function orderView(order: StoredOrder): OrderView {
  return {
    order_id: order.orderId,
    user_id: order.userId,
    ...(order.externalId === undefined ? {} : { external_id: order.externalId }),
    amount: order.amountMinor / 100,
    status: order.status,
    payload_json: order.payload,
    created_at: order.createdAt,
    updated_at: order.updatedAt,
    bucket: order.bucket,
  }
}
