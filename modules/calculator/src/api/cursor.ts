import { invalidRequest } from '@headrace/http-kit'

/** The place behind an expression in a list, as clients hand it back. */
export function cursorAfter(id: number): string {
  return Buffer.from(`e${id}`).toString('base64url')
}

/** The id that a cursor stands for. Throws `INVALID_REQUEST` for one that was not ours. */
export function cursorId(cursor: string): number {
  const id = Number(/^e(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString())?.[1] ?? 0)
  if (id > 0 && cursorAfter(id) === cursor) return id
  throw invalidRequest(`query parameter cursor is not one of ours, got '${cursor.slice(0, 100)}'`)
}
