import {
  type CarriedMessage,
  decodeEvent,
  encodeEvent,
  inBinaryMode,
  natsBinding,
  type OutgoingMessage,
} from '@headrace/transport'
import { headers, type Msg } from '@nats-io/transport-node'
import type { EncodedMessage } from './publication.ts'

/** A message as we publish it: an event whose attributes are headers. */
export function encoded(topic: string, message: OutgoingMessage): EncodedMessage {
  const named = headers()
  for (const [name, value] of encodeEvent(natsBinding, message, { topic, at: Date.now() })) named.append(name, value)
  // As the server counts it: a line of its own before and after, and four signs a header, not encoded anew for this.
  let bytes = message.body.byteLength + 'NATS/1.0\r\n\r\n'.length
  for (const [name, values] of named) bytes += name.length + Buffer.byteLength(values[0] ?? '') + 4
  return { headers: named, body: message.body, bytes }
}

/** What the server says of a message that a consumer delivers, in the subject for its acknowledgement. */
export interface DeliveryPlace {
  /** The message's number in the stream. */
  readonly position: number
  /** The message's number among those that this consumer delivered, from 1. */
  readonly delivery: number
  readonly at: number
  /** How many more the stream holds for this consumer. */
  readonly pending: number
}

/** `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<times>.<position>.<delivery>.<nanoseconds>.<pending>[.<more>]` */
export function placeOf(message: Msg): DeliveryPlace {
  const tokens = (message.reply ?? '').split('.')
  const [position, delivery, nanoseconds, pending] = tokens.slice(tokens.length > 9 ? 7 : 5)
  return {
    position: Number(position),
    delivery: Number(delivery),
    at: Math.floor(Number(nanoseconds) / 1e6),
    pending: Number(pending),
  }
}

export interface StreamPlace {
  readonly topic: string
  readonly incarnation: string
}

/** A message as it is read; one of a foreign producer without an id is named by its place in the stream. */
export function carried(message: Msg, place: DeliveryPlace, { topic, incarnation }: StreamPlace): CarriedMessage {
  const named = [...(message.headers ?? [])].map(([name, values]): [string, string] => [name, values.at(-1) ?? ''])
  const madeAt = Date.parse(incarnation)
  const id = message.headers?.get('Nats-Msg-Id') || `nats-${topic}-${madeAt}-${place.position}`
  const { headers, body } = inBinaryMode(natsBinding, { headers: named, body: message.data })
  const event = decodeEvent(natsBinding, headers, { id, type: topic, at: place.at })
  return { ...event, key: event.key ?? event.id, body, position: place.position }
}
