import { readUuid } from '../domain/ids.ts'
import { readEnvelope } from './envelope.ts'

/** The topic of what becomes of payments; its key is the order's id. */
export const paymentsTopic = 'payments-events'

export const paymentEventTypes = ['payment.pending', 'payment.completed', 'payment.failed'] as const

/** What payments tell about an order. */
export interface PaymentFact {
  readonly type: (typeof paymentEventTypes)[number]
  readonly orderId: string
  readonly paymentId: string
  /** Why it failed; empty on all others. */
  readonly errorMessage: string
}

/** Reads an event of this topic; undefined for types that nobody knows yet. Throws `TypeError` for what is malformed. */
export function readPaymentFact(body: Uint8Array): PaymentFact | undefined {
  const { event_type, data } = readEnvelope(body)
  const type = paymentEventTypes.find((known) => known === event_type)
  if (type === undefined) return undefined
  const orderId = readUuid(data['order_id'])
  const paymentId = readUuid(data['payment_id'])
  if (orderId === undefined) throw new TypeError('data.order_id is no UUID')
  if (paymentId === undefined) throw new TypeError('data.payment_id is no UUID')
  const message = data['error_message']
  return { type, orderId, paymentId, errorMessage: typeof message === 'string' ? message : '' }
}
