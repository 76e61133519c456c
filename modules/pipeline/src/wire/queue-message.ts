import { createHash } from 'node:crypto'
import { PlatformError } from '@headrace/runtime'
import { type Message, messageBytes } from '@headrace/transport'
import { type DataMessage, orderingKey } from '../domain/data-message.ts'
import { encodeBody, jsonBytes, jsonType, protobufType, type QueueEncoding } from './queue-body.ts'

/** The type of the pipeline's messages, as CloudEvents name it. */
export const dataMessageType = 'diplom.v1.DataMessage'

export interface QueueMessageOptions {
  readonly encoding: QueueEncoding
  /** Largest message, counted as JSON with base64 payload whatever the encoding. */
  readonly limitBytes: number
}

/** A message as it travels, and whose trace it continues. */
export type ToQueueMessage = (message: DataMessage, traceparent?: string) => Message

/**
 * Makes the messages of the queue: CloudEvents 1.0 in binary mode, attributes as headers. Throws `MESSAGE_TOO_LARGE`.
 */
export function queueMessages(options: QueueMessageOptions): ToQueueMessage {
  const { encoding, limitBytes } = options
  const contentType = encoding === 'json' ? jsonType : protobufType
  return (message, traceparent) => {
    const body = encodeBody(message, encoding)
    const made: Message = {
      id: message.id,
      key: orderingKey(message, sha256),
      type: dataMessageType,
      headers: {
        ce_id: message.id,
        ce_source: '/headrace/pipeline',
        ce_type: dataMessageType,
        ce_specversion: '1.0',
        ce_time: timeText(message.timestamp),
        'content-type': contentType,
        traceparent: traceparent ?? ownTrace(message.id),
      },
      body,
    }
    const bytes = messageBytes(made) + (encoding === 'json' ? 0 : jsonSurplus(message, body))
    if (bytes > limitBytes) throw tooLarge(bytes, limitBytes)
    return made
  }
}

/** How much larger the message would be in JSON. */
function jsonSurplus(message: DataMessage, body: Uint8Array): number {
  return jsonBytes(message) - body.byteLength + jsonType.length - protobufType.length
}

function tooLarge(bytes: number, limitBytes: number): PlatformError {
  const text = `the message would have ${bytes} bytes on the queue, more than ${limitBytes} (MESSAGE_LIMIT_BYTES)`
  return new PlatformError('MESSAGE_TOO_LARGE', text, { details: { bytes, limitBytes } })
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Times of one second are written once: RFC 3339 UTC with milliseconds. */
let lastSeconds = Number.NaN
let lastText = ''

function timeText(seconds: number): string {
  if (seconds !== lastSeconds) {
    lastText = rfc3339(seconds)
    lastSeconds = seconds
  }
  return lastText
}

function rfc3339(seconds: number): string {
  const time = new Date(seconds * 1000)
  return Number.isNaN(time.getTime()) ? '1970-01-01T00:00:00.000Z' : time.toISOString()
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** A message that continues no trace begins one that its id tells: no random numbers, and found without a look-up. */
function ownTrace(id: string): string {
  if (!uuid.test(id)) return ownTrace(digestUuid(id))
  const tail = `${id.slice(19, 23)}${id.slice(24)}`
  return `00-${id.slice(0, 8)}${id.slice(9, 13)}${id.slice(14, 18)}${tail}-${tail}-00`
}

function digestUuid(id: string): string {
  return sha256(id)
    .slice(0, 32)
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
