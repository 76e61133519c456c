import { assertStorableText, invalidRequest } from '@headrace/http-kit'
import { messageOf } from '@headrace/runtime'
import type { DataMessage } from '../domain/data-message.ts'
import { decodeProtobuf } from '../wire/protobuf.ts'

/** Reads a message that a caller sent as protobuf. Throws `INVALID_REQUEST`. */
export function protobufMessage(body: Uint8Array): DataMessage {
  const message = decoded(body)
  assertStorableText(message.id, 'id')
  assertStorableText(message.source, 'source')
  for (const [name, value] of Object.entries(message.metadata)) assertStorableText(name + value, 'metadata')
  return message
}

function decoded(body: Uint8Array): DataMessage {
  try {
    return decodeProtobuf(body)
  } catch (error) {
    throw invalidRequest(messageOf(error))
  }
}
