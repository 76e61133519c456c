import { invalidRequest } from '@headrace/http-kit'
import { readUuid } from '../domain/ids.ts'
import type { OrderPlace } from '../store/orders.ts'

/** Where a list goes on: opaque to callers. */
export function encodeCursor({ createdAtMs, id }: OrderPlace): string {
  return Buffer.from(`${createdAtMs}/${id}`).toString('base64url')
}

/** Reads a cursor that we have given. Throws `INVALID_REQUEST`. */
export function decodeCursor(cursor: string | undefined): OrderPlace | undefined {
  if (cursor === undefined) return undefined
  const [time = '', text] = Buffer.from(cursor, 'base64url').toString().split('/')
  const id = readUuid(text)
  const createdAtMs = /^\d{1,15}$/.test(time) ? Number(time) : undefined
  if (id !== undefined && createdAtMs !== undefined && encodeCursor({ createdAtMs, id }) === cursor) {
    return { createdAtMs, id }
  }
  throw invalidRequest('cursor is none that was given here')
}
