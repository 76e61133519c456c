import { type EventBinding, percentEncode } from './cloud-events.ts'

type NamedValues = readonly (readonly [name: string, value: string])[]

/** Headers and body as they travel. */
export interface CarriedEvent {
  readonly headers: NamedValues
  readonly body: Uint8Array
}

const structured = /^application\/cloudevents\+json\s*(;|$)/i
const isJson = /^[^;]*[/+]json\s*(;|$)/i

/**
 * What a foreign event in structured mode (JSON format: attributes and data in the body; Kafka binding 1.0.2 §3.3, NATS
 * binding §3.2) would be in binary mode, which is ours. Anything else, a batch or a body that is no event among it, stays as it is.
 */
export function inBinaryMode(binding: EventBinding, carried: CarriedEvent): CarriedEvent {
  const { headers, body } = carried
  const named = (wanted: string) => headers.findLast(([name]) => name.toLowerCase() === wanted)?.[1]
  // Ours are in binary mode, whatever type their bodies are said to have.
  if (!structured.test(named('content-type') ?? '') || named(`${binding.prefix}specversion`) !== undefined)
    return carried
  const event = eventIn(body)
  if (event === undefined) return carried
  const { data, data_base64: base64, datacontenttype = 'application/json', ...attributes } = event
  const told = Object.entries(attributes)
    .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
    .map(([name, value]) => [binding.prefix + name, encoded(binding, String(value))] as const)
  const others = headers.filter(([name]) => name.toLowerCase() !== 'content-type')
  const type = String(datacontenttype)
  return { headers: [...others, ...told, ['content-type', type]], body: bytesOf(data, base64, type) }
}

function eventIn(body: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const event: unknown = JSON.parse(Buffer.from(body).toString())
    return isEvent(event) ? event : undefined
  } catch {
    return undefined
  }
}

function isEvent(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || !('specversion' in value)) return false
  return value.specversion === '1.0' && 'id' in value && 'type' in value
}

/** JSON format §3.1: text is itself unless it is said to be JSON; bytes are base64. */
function bytesOf(data: unknown, base64: unknown, type: string): Uint8Array {
  if (typeof base64 === 'string') return Buffer.from(base64, 'base64')
  if (data === undefined) return new Uint8Array()
  return Buffer.from(typeof data === 'string' && !isJson.test(type) ? data : JSON.stringify(data))
}

function encoded({ percent }: EventBinding, value: string): string {
  return percent ? percentEncode(value) : value
}
