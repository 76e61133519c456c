import { createHash } from 'node:crypto'
import { PlatformError } from '@headrace/runtime'
import { type Headers, type Message, messageBytes } from '@headrace/transport'
import { type DataMessage, orderingKey } from '../domain/data-message.ts'
import { encodeBody, jsonBytes, protobufType, type QueueEncoding } from './queue-body.ts'

/** The type of the pipeline's messages, as CloudEvents name it. */
export const dataMessageType = 'diplom.v1.DataMessage'

export interface QueueMessageOptions {
  readonly encoding: QueueEncoding
  /** Largest message, counted as JSON with base64 payload whatever the encoding. */
  readonly limitBytes: number
}

/** The header that says whose a message is. */
export const ownerHeader = 'owner'

/** What a message is accompanied by, where there is any. */
export interface Accompanying {
  /** The trace that it continues. */
  readonly traceparent?: string | undefined
  /** The UUID of the account whose token sent it. */
  readonly owner?: string | undefined
}

/** A message as it travels. */
export type ToQueueMessage = (message: DataMessage, accompanying?: Accompanying) => Message

/**
 * Makes the messages of the queue. Headers hold only what cannot be told from the rest: JSON is the content type that
 * goes without saying, and the attributes of a CloudEvent are id, type and time of the message. Writing them out for
 * each message cost a quarter of all that could be accepted. Throws `MESSAGE_TOO_LARGE`.
 */
export function queueMessages(options: QueueMessageOptions): ToQueueMessage {
  const { encoding, limitBytes } = options
  const common: Headers = encoding === 'json' ? {} : { 'content-type': protobufType }
  return (message, accompanying) => {
    const body = encodeBody(message, encoding)
    const made: Message = {
      id: message.id,
      key: orderingKey(message, sha256),
      type: dataMessageType,
      headers: headersOf(common, accompanying),
      body,
    }
    const bytes = messageBytes(made) + (encoding === 'json' ? 0 : jsonSurplus(message, body))
    if (bytes > limitBytes) throw tooLarge(bytes, limitBytes)
    return made
  }
}

function headersOf(common: Headers, { traceparent, owner }: Accompanying = {}): Headers {
  if (traceparent === undefined && owner === undefined) return common
  const headers = traceparent === undefined ? common : { ...common, traceparent }
  return owner === undefined ? headers : { ...headers, [ownerHeader]: owner }
}

/** How much larger the message would be in JSON, whose content type is not written. */
function jsonSurplus(message: DataMessage, body: Uint8Array): number {
  return jsonBytes(message) - body.byteLength - contentTypeBytes
}

const contentTypeBytes = messageBytes({ ...emptyMessage(), headers: { 'content-type': protobufType } })

function emptyMessage(): Message {
  return { id: '', key: '', type: '', headers: {}, body: new Uint8Array(0) }
}

function tooLarge(bytes: number, limitBytes: number): PlatformError {
  const text = `the message would have ${bytes} bytes on the queue, more than ${limitBytes} (MESSAGE_LIMIT_BYTES)`
  return new PlatformError('MESSAGE_TOO_LARGE', text, { details: { bytes, limitBytes } })
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
