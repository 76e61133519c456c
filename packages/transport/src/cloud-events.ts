import { createHash } from 'node:crypto'
import type { Headers, Origin } from './message.ts'
import type { OutgoingMessage } from './transport.ts'

/**
 * How a broker carries a CloudEvents 1.0 event in binary mode: attributes are headers, the data is the body. See the
 * protocol bindings for Kafka and NATS of the CloudEvents specification.
 */
export interface EventBinding {
  readonly prefix: 'ce_' | 'ce-'
  /** Attributes are percent-encoded; other headers never are. */
  readonly percent: boolean
  /** The key travels as attribute `partitionkey`, where the broker has no place of its own for it. */
  readonly keyAttribute: boolean
}

export const kafkaBinding = { prefix: 'ce_', percent: false, keyAttribute: false } as const satisfies EventBinding
export const natsBinding = { prefix: 'ce-', percent: true, keyAttribute: true } as const satisfies EventBinding

/** A message as its headers tell of it; the body and, without `keyAttribute`, the key are the driver's. */
export interface EventEnvelope {
  readonly id: string
  readonly type: string
  /** When the log took it, else when the carrier did, in ms since the epoch. */
  readonly at: number
  readonly headers: Headers
  readonly key?: string
  readonly origin?: Origin
}

/** What stands for what a foreign message does not say of itself. */
export type EventFallback = Pick<EventEnvelope, 'id' | 'type' | 'at'>

const ownSource = '/headrace/'
const originHeader = 'headrace-origin'
/** Names the headers that the message did not have, in a comma list: the codec added them for foreign readers. */
const impliedHeader = 'headrace-implied'
/** Stands before the name of a header that is called like one of ours. */
const escapePrefix = 'headrace-h-'
const attributes = ['specversion', 'id', 'type', 'source', 'time', 'partitionkey']
const json = 'application/json'

/**
 * The headers of a message on a broker, in order. A body that begins like a JSON object or list and has no
 * `content-type` is said to be JSON; a message that belongs to no trace begins one, made of its id. `at` is the time that the event tells, in ms since the epoch.
 */
export function encodeEvent(
  binding: EventBinding,
  message: OutgoingMessage,
  event: { readonly topic: string; readonly at: number },
): [name: string, value: string][] {
  const { prefix, percent, keyAttribute } = binding
  const encoded: [string, string][] = []
  const add = (name: string, value: string) => encoded.push([prefix + name, percent ? percentEncode(value) : value])
  add('specversion', '1.0')
  add('id', message.id)
  add('type', message.type)
  add('source', ownSource + encodeURIComponent(event.topic))
  add('time', new Date(message.at ?? event.at).toISOString())
  if (keyAttribute) add('partitionkey', message.key)
  for (const name in message.headers) {
    encoded.push([isReserved(binding, name) ? escapePrefix + name : name, message.headers[name] ?? ''])
  }
  const implied = impliedHeaders(message)
  if (implied.length > 0) encoded.push(...implied, [impliedHeader, implied.map(([name]) => name).join(',')])
  if (message.origin !== undefined) encoded.push([originHeader, encodeOrigin(message.origin)])
  return encoded
}

function impliedHeaders({ id, headers, body }: OutgoingMessage): [name: string, value: string][] {
  const implied: [string, string][] = []
  if (headers['content-type'] === undefined && looksLikeJson(body)) implied.push(['content-type', json])
  if (headers['traceparent'] === undefined) implied.push(['traceparent', ownTrace(id)])
  return implied
}

/** A trace of a message's own (W3C Trace Context, not sampled): a UUID is a trace id, of anything else its digest is. */
function ownTrace(id: string): string {
  const hex = isUuid.test(id) ? id.replaceAll('-', '').toLowerCase() : createHash('sha256').update(id).digest('hex')
  return `00-${hex.slice(0, 32)}-${hex.slice(16, 32)}-00`
}

const isUuid = /^[\da-f]{8}(-[\da-f]{4}){3}-(?!0{12})[\da-f]{12}$/i

/**
 * What headers tell of a message; the last of several with one name counts. Attributes of foreign events that have no
 * place in a message (`ce_subject`) stay headers.
 */
export function decodeEvent(
  binding: EventBinding,
  headers: Iterable<readonly [name: string, value: string]>,
  fallback: EventFallback,
): EventEnvelope {
  const left = new Map<string, string>()
  for (const [name, value] of headers) left.set(name.toLowerCase(), value)
  const attribute = (name: string) => {
    const value = left.get(binding.prefix + name)
    return value !== undefined && binding.percent ? percentDecode(value) : value
  }
  const own = attribute('source')?.startsWith(ownSource) === true
  const origin = decodeOrigin(left.get(originHeader))
  const timeMs = Date.parse(attribute('time') ?? '')
  const key = binding.keyAttribute ? attribute('partitionkey') : undefined
  const id = attribute('id') || fallback.id
  const type = attribute('type') || fallback.type
  for (const name of own ? attributes : ['specversion', 'id', 'type', 'partitionkey'])
    left.delete(binding.prefix + name)
  return {
    id,
    type,
    at: origin !== undefined && !Number.isNaN(timeMs) ? timeMs : fallback.at,
    headers: ownHeaders(left),
    ...(key !== undefined && { key }),
    ...(origin !== undefined && { origin }),
  }
}

function ownHeaders(left: Map<string, string>): Headers {
  for (const implied of left.get(impliedHeader)?.split(',') ?? []) left.delete(implied)
  left.delete(impliedHeader)
  left.delete(originHeader)
  const entries = [...left].map(([name, value]) => [
    name.startsWith(escapePrefix) ? name.slice(escapePrefix.length) : name,
    value,
  ])
  return Object.fromEntries(entries)
}

function isReserved({ prefix }: EventBinding, name: string): boolean {
  if (name.startsWith('headrace-')) return true
  return name.startsWith(prefix) && attributes.includes(name.slice(prefix.length))
}

const openingBytes = new Set(['{', '['].map((sign) => sign.charCodeAt(0)))

function looksLikeJson(body: Uint8Array): boolean {
  return openingBytes.has(body[0] ?? 0)
}

/** `<log>/<partition>/<offset>`, and behind it `;base=<offset>` where a relay says where it began. */
function encodeOrigin({ log, partition, offset, base }: Origin): string {
  return `${log}/${partition}/${offset}${base === undefined ? '' : `;base=${base}`}`
}

function decodeOrigin(text: string | undefined): Origin | undefined {
  const [, log, partition, offset, base] = /^([\w.-]+)\/(\d+)\/(\d+)(?:;base=(\d+))?$/.exec(text ?? '') ?? []
  if (log === undefined || !Number.isSafeInteger(Number(offset))) return undefined
  const origin = { log, partition: Number(partition), offset: Number(offset) }
  return base === undefined ? origin : { ...origin, base: Number(base) }
}

/** As in the HTTP binding, 3.1.3.2: all but printable ASCII, and of that blank, double quote and percent. */
export function percentEncode(value: string): string {
  return value.toWellFormed().replaceAll(/[^\x21\x23\x24\x26-\x7e]/gu, encodeURIComponent)
}

function percentDecode(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
