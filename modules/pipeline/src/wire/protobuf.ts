import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { messageOf } from '@headrace/runtime'
import type { DataMessage } from '../domain/data-message.ts'
import { DataMessageSchema } from '../generated/diplom/v1/message_pb.ts'

/** A message as `diplom.v1.DataMessage`. */
export function encodeProtobuf(message: DataMessage): Uint8Array {
  const { id, timestamp, source, payload, metadata } = message
  return toBinary(
    DataMessageSchema,
    create(DataMessageSchema, { id, timestamp: BigInt(timestamp), source, payload, metadata }),
  )
}

/** Reads a `diplom.v1.DataMessage`. Throws `TypeError` that says what is wrong. */
export function decodeProtobuf(body: Uint8Array): DataMessage {
  const { id, timestamp, source, payload, metadata } = parse(body)
  const seconds = Number(timestamp)
  if (!Number.isSafeInteger(seconds)) throw new TypeError(`timestamp: ${timestamp} is out of range`)
  return { id, timestamp: seconds, source, payload, metadata }
}

function parse(body: Uint8Array) {
  try {
    return fromBinary(DataMessageSchema, body)
  } catch (error) {
    throw new TypeError(`the body is not a diplom.v1.DataMessage: ${messageOf(error).slice(0, 200)}`)
  }
}
