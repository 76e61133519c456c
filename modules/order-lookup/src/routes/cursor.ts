import { assertStorableText, invalidRequest } from '@headrace/http-kit'
import type { ListPlace } from '../store/read-orders.ts'

/** A place in the list as callers carry it: opaque. */
export function cursorOf({ atMs, id }: ListPlace): string {
  return Buffer.from(JSON.stringify([atMs, id])).toString('base64url')
}

/** Reads what `cursorOf` wrote. Throws `INVALID_REQUEST` for anything else. */
export function placeOf(cursor: string): ListPlace {
  const [atMs, id, ...rest] = parsed(cursor)
  const isPlace = typeof atMs === 'number' && Number.isSafeInteger(atMs) && typeof id === 'string' && rest.length === 0
  if (!isPlace || cursorOf({ atMs, id }) !== cursor) throw invalidRequest('query parameter cursor is none of ours')
  assertStorableText(id, 'query parameter cursor')
  return { atMs, id }
}

function parsed(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}
