import type { Acknowledgement, AppliedResult } from '../domain/acknowledgement.ts'
import type { Payload } from '../domain/amount.ts'
import type { AppliedOrder } from '../domain/applied-order.ts'

/** What the key-value store holds under `orderResultKey`. */
export interface OrderResult {
  readonly order_id: string
  readonly status: Acknowledgement['status']
  /** RFC 3339. */
  readonly processed_at: string
  readonly order_status: 'done' | 'deleted'
  readonly user_id: string
  readonly amount: number
  readonly payload: Payload
  readonly created_at: string
  readonly updated_at: string
  /** 0 to 3. */
  readonly bucket: number
}

/** What `orders.ack` carries. */
export interface AckMessage {
  readonly order_id: string
  readonly event_id: string
  readonly status: Acknowledgement['status']
  /** Why it was rejected. */
  readonly code?: string
  readonly processed_at: string
  readonly result?: OrderResult
  /** Of a foreign event that was applied and names one: the api has not seen it. */
  readonly external_id?: string
}

/** The key of an order's result. */
export function orderResultKey(orderId: string): string {
  return `order_result:${orderId}`
}

/** How long a result is kept, in ms. */
export const resultTtlMs = 600_000

/** Writes the result of an event. */
export function orderResult(
  order: AppliedOrder,
  facts: Pick<OrderResult, 'status' | 'processed_at' | 'bucket'>,
): OrderResult {
  return {
    order_id: order.orderId,
    status: facts.status,
    processed_at: facts.processed_at,
    order_status: order.status,
    user_id: order.userId,
    amount: order.amountMinor / 100,
    payload: order.payload,
    created_at: order.createdAt,
    updated_at: order.updatedAt,
    bucket: facts.bucket,
  }
}

/** Reads an acknowledgement. Throws `TypeError` for what our worker does not write. */
export function readAck(body: Uint8Array): Acknowledgement {
  const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
  if (!isAck(value)) throw new TypeError('the message is no acknowledgement')
  const { order_id, event_id, status, code, result, external_id } = value
  return {
    orderId: order_id,
    eventId: event_id,
    status,
    code,
    externalId: external_id,
    result: result && appliedResult(result),
  }
}

const uuid = /^[0-9a-f-]{36}$/

function isAck(value: unknown): value is AckMessage {
  if (typeof value !== 'object' || value === null) return false
  const { order_id, event_id, status } = value as Record<string, unknown>
  const hasIds = [order_id, event_id].every((id) => typeof id === 'string' && uuid.test(id))
  return hasIds && typeof status === 'string' && ['created', 'updated', 'deleted', 'rejected'].includes(status)
}

function appliedResult(result: OrderResult): AppliedResult {
  return {
    userId: result.user_id,
    amountMinor: Math.round(result.amount * 100),
    payload: result.payload,
    orderStatus: result.order_status,
    createdAt: result.created_at,
    updatedAt: result.updated_at,
  }
}
