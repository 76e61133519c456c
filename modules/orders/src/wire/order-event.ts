import { readAmount, readEnvelope, readUuid } from '@headrace/payments/contract'

/** The topic of what becomes of orders; its key is the order's id. */
export const ordersTopic = 'orders-events'

export const orderEventTypes = ['order.created', 'order.cancelled'] as const

export type OrderEventType = (typeof orderEventTypes)[number]

/** What orders tell. */
export interface OrderFact {
  readonly type: OrderEventType
  readonly orderId: string
  readonly userId: string
  readonly amountMinor: number
  readonly currency: string
}

/** As in ISO 4217: what payments tell of an order is then hardly longer than what they were told. */
const currencyCode = /^[A-Z]{3}$/

/** Reads an event of this topic; undefined for types that nobody knows yet. Throws `TypeError` for what is malformed. */
export function readOrderFact(body: Uint8Array): OrderFact | undefined {
  const { event_type, data } = readEnvelope(body)
  const type = orderEventTypes.find((known) => known === event_type)
  if (type === undefined) return undefined
  const orderId = readUuid(data['order_id'])
  const userId = readUuid(data['user_id'])
  const amount = readAmount(data['amount'])
  const currency = data['currency'] ?? 'USD'
  if (orderId === undefined) throw new TypeError('data.order_id is no UUID')
  if (userId === undefined) throw new TypeError('data.user_id is no UUID')
  if (amount.kind === 'refused') throw new TypeError(`data.amount ${amount.expected}`)
  if (typeof currency !== 'string' || !currencyCode.test(currency)) throw new TypeError('data.currency is no currency')
  return { type, orderId, userId, amountMinor: amount.minor, currency }
}
