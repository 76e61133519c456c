import { messageOf } from '@headrace/runtime'
import type { Message } from '@headrace/transport'
import { base64Length, type DataMessage, isBase64 } from '../domain/data-message.ts'
import { decodeProtobuf, encodeProtobuf } from './protobuf.ts'

/** How messages are written on the queue (`QUEUE_ENCODING`). Either is read, whatever the setting. */
export type QueueEncoding = 'json' | 'protobuf'

export const protobufType = 'application/x-protobuf'

/** The body of a message on the queue. */
export function encodeBody(message: DataMessage, encoding: QueueEncoding): Uint8Array {
  return encoding === 'json' ? Buffer.from(encodeJson(message)) : encodeProtobuf(message)
}

/** The JSON that the contract shows, written by hand: one is made for each request. */
function encodeJson({ id, timestamp, source, payload, metadata }: DataMessage): string {
  const base64 = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64')
  const rest = `"timestamp":${timestamp},"source":${JSON.stringify(source)},"payload":"${base64}"`
  return `{"id":${JSON.stringify(id)},${rest},"metadata":${JSON.stringify(metadata)}}`
}

/** Bytes of a message's body as JSON, whatever its encoding: what the limit is counted by. */
export function jsonBytes(message: DataMessage): number {
  const rest = encodeJson({ ...message, payload: noBytes })
  return Buffer.byteLength(rest) + base64Length(message.payload.byteLength)
}

const noBytes = new Uint8Array(0)

/** Reads a message from the queue. Throws `TypeError` that says what is wrong: such a message can never succeed. */
export function decodeBody(message: Message): DataMessage {
  const read = message.headers['content-type']?.startsWith(protobufType) ? decodeProtobuf : decodeJson
  const decoded = read(message.body)
  // Somebody else's message may name no id; the carrier's is as good.
  return decoded.id === '' ? { ...decoded, id: message.id } : decoded
}

function decodeJson(body: Uint8Array): DataMessage {
  const value = parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'))
  const payload = textField(value, 'payload')
  if (!isBase64(payload)) throw new TypeError('payload: is not base64')
  return {
    id: textField(value, 'id'),
    timestamp: numberField(value, 'timestamp'),
    source: textField(value, 'source'),
    payload: Buffer.from(payload, 'base64'),
    metadata: textsField(value, 'metadata'),
  }
}

type Fields = Readonly<Record<string, unknown>>

function parse(text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new TypeError(`the body is not JSON: ${messageOf(error).slice(0, 200)}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError('the body is no JSON object')
  // An object of unknown fields, each looked at before it is used.
  return value as Fields
}

function textField(fields: Fields, name: string): string {
  const value = fields[name] ?? ''
  if (typeof value === 'string') return value
  throw new TypeError(`${name}: is ${typeof value}, expected a string`)
}

function numberField(fields: Fields, name: string): number {
  const value = fields[name] ?? 0
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw new TypeError(`${name}: is not a whole number`)
}

function textsField(fields: Fields, name: string): Record<string, string> {
  const value = fields[name] ?? {}
  const isTexts = typeof value === 'object' && !Array.isArray(value) && Object.values(value).every(isText)
  // Checked entry by entry.
  if (isTexts) return value as Record<string, string>
  throw new TypeError(`${name}: is not an object of strings`)
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}
