import type { Delivery } from '@headrace/inbox'
import type { NewMessage } from '@headrace/log'
import { childTrace, formatTraceparent, parseTraceparent } from '@headrace/runtime'

/** What the body of every message of the shop says. */
export interface Envelope {
  readonly event_type: string
  readonly event_id: string
  readonly data: Readonly<Record<string, unknown>>
  /** Seconds since the epoch. */
  readonly timestamp: number
}

/** An event to publish. */
export interface NewEvent {
  readonly topic: string
  readonly type: string
  readonly id: string
  /** Events of one order keep their order. */
  readonly orderId: string
  readonly data: Readonly<Record<string, unknown>>
  /** When it happened, in ms since the epoch. */
  readonly atMs: number
  /** The `traceparent` of what caused it. */
  readonly trace?: string | undefined
}

/** Writes an event as a message; the body is exactly the envelope as JSON. */
export function toMessage({ topic, type, id, orderId, data, atMs, trace }: NewEvent): NewMessage {
  const envelope: Envelope = { event_type: type, event_id: id, data, timestamp: Math.floor(atMs / 1000) }
  const parent = trace === undefined ? undefined : parseTraceparent(trace)
  const headers = parent === undefined ? {} : { traceparent: formatTraceparent(childTrace(parent)) }
  return { topic, id, key: orderId, type, headers, body: Buffer.from(JSON.stringify(envelope)) }
}

/** Reads a message's envelope. Throws `TypeError` that says what is wrong. */
export function readEnvelope(body: Uint8Array): Envelope {
  const envelope: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
  if (!isRecord(envelope)) throw new TypeError('the body is no JSON object')
  const { event_type, event_id, data, timestamp } = envelope
  if (typeof event_type !== 'string') throw new TypeError('event_type is no text')
  if (!isRecord(data)) throw new TypeError('data is no JSON object')
  const at = typeof timestamp === 'number' && Number.isFinite(timestamp) ? timestamp : 0
  return { event_type, event_id: typeof event_id === 'string' ? event_id : '', data, timestamp: at }
}

/**
 * The CloudEvents time of a message in ms since the epoch: of ours the log's, of a foreign one what it says itself,
 * else when the carrier took it. Nothing happened later than that.
 */
export function eventTimeMs({ at, origin, headers }: Pick<Delivery, 'at' | 'origin' | 'headers'>): number {
  if (origin !== undefined) return at
  const toldMs = Date.parse(headers['ce_time'] ?? headers['ce-time'] ?? '')
  return Number.isNaN(toldMs) ? at : Math.min(at, toldMs)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
