import type { Payload } from './amount.ts'
import { readExternalId } from './external-id.ts'
import { readUuid } from './ids.ts'

/** What `orders.events` carries. */
export interface OrderEvent {
  readonly order_id: string
  readonly external_id: string | null
  readonly user_id: string
  /** Null where an order is deleted without one. */
  readonly payload: Payload | null
  readonly status: 'new' | 'deleted'
  /** RFC 3339. */
  readonly timestamp: string
}

export type OrderEventReading =
  | { readonly kind: 'event'; readonly event: OrderEvent }
  | { readonly kind: 'rubbish'; readonly reason: string }

/**
 * Reads an event, also a foreign producer's: what can be told from the rest may be missing. `atMs`, the message's own
 * time, stands for a timestamp that is none.
 */
export function readOrderEvent(value: unknown, atMs: number): OrderEventReading {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return rubbish('the event is no object')
  const { order_id, external_id, user_id, payload, status = 'new', timestamp } = value as Record<string, unknown>
  const orderId = readUuid(order_id)
  if (orderId === undefined) return rubbish('order_id is no UUID')
  const userId = readUuid(user_id)
  if (userId === undefined) return rubbish('user_id is no UUID')
  if (status !== 'new' && status !== 'deleted') return rubbish("status is neither 'new' nor 'deleted'")
  const read = readPayload(payload)
  if (read === undefined || (read === null && status === 'new')) return rubbish('payload is no object')
  if (isDeeper(read, maxDepth)) return rubbish(`payload is nested deeper than ${maxDepth} levels`)
  const externalId = readExternalId(read ?? undefined, external_id)
  if (externalId.kind === 'invalid') return rubbish(externalId.reason)
  const at = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN
  const event: OrderEvent = {
    order_id: orderId,
    external_id: externalId.id ?? null,
    user_id: userId,
    payload: read,
    status,
    timestamp: new Date(isTime(at) ? at : atMs).toISOString(),
  }
  return { kind: 'event', event }
}

/** As deep as a request's body may be; what is nested some thousands deep can be read, and never written again. */
const maxDepth = 64

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1))
}

const firstMs = Date.parse('0001-01-01T00:00:00Z')
const lastMs = Date.parse('9999-12-31T23:59:59Z')

function isTime(atMs: number): boolean {
  return atMs >= firstMs && atMs <= lastMs
}

function readPayload(value: unknown): Payload | null | undefined {
  if (value === undefined || value === null) return null
  // Checked: an object that is no list.
  return typeof value === 'object' && !Array.isArray(value) ? (value as Payload) : undefined
}

function rubbish(reason: string): OrderEventReading {
  return { kind: 'rubbish', reason }
}
