import { invalidRequest } from '@headrace/http-kit'

/** Where a list goes on: opaque to callers. */
export function encodeCursor(seq: number): string {
  return Buffer.from(String(seq)).toString('base64url')
}

/** Reads a cursor that we have given. Throws `INVALID_REQUEST`. */
export function decodeCursor(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined
  const text = Buffer.from(cursor, 'base64url').toString()
  const seq = /^\d{1,15}$/.test(text) ? Number(text) : 0
  if (seq > 0 && encodeCursor(seq) === cursor) return seq
  throw invalidRequest('cursor is none that was given here')
}
