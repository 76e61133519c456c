import type { Payload } from './amount.ts'

/** Longest external id in characters. */
export const externalIdLimit = 256

/** An order's name in its sender's world; `undefined` id: it has none. */
export type ExternalIdReading =
  | { readonly kind: 'id'; readonly id: string | undefined }
  | { readonly kind: 'invalid'; readonly reason: string }

/** `payload.id`, else the one given beside it. Compared as text: 42 is "42". */
export function readExternalId(payload: Payload | undefined, given: unknown): ExternalIdReading {
  const inner = payload !== undefined && Object.hasOwn(payload, 'id') ? payload['id'] : undefined
  return isGiven(inner) ? read(inner, 'payload.id') : read(given, 'external_id')
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}

function read(value: unknown, field: string): ExternalIdReading {
  if (!isGiven(value)) return { kind: 'id', id: undefined }
  if (typeof value !== 'string' && typeof value !== 'number') {
    return { kind: 'invalid', reason: `${field} must be a text or a number` }
  }
  const id = String(value)
  if (id.includes('\u0000') || !id.isWellFormed()) {
    return { kind: 'invalid', reason: `${field} holds a NUL or a lone surrogate` }
  }
  if (id.length <= externalIdLimit) return { kind: 'id', id }
  return { kind: 'invalid', reason: `${field} has ${id.length} characters, more than ${externalIdLimit}` }
}
