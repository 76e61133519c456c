import { createHash } from 'node:crypto'
import type { CarriedMessage } from '@headrace/transport'

/** Longest key, id or type of a foreign message, in characters; longer ones are cut and told apart by a digest. */
const nameLimit = 256
/** The last time with a year of four digits, in ms: both PostgreSQL and RFC 3339 know it. */
const latestAtMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/** A foreign producer's key, id, type and time as our tables can hold them. */
export function storable(message: CarriedMessage): CarriedMessage {
  const { key, id, type, at } = message
  const known = Math.min(Math.max(at, 0), latestAtMs)
  return { ...message, key: storableName(key), id: storableName(id), type: storableName(type), at: known }
}

function storableName(name: string): string {
  const clean =
    name.isWellFormed() && !name.includes('\u0000') ? name : name.toWellFormed().replaceAll('\u0000', '\ufffd')
  if (clean === name && name.length <= nameLimit) return name
  // What was changed keeps its identity: different names stay different.
  return `${clean.slice(0, nameLimit)}~${createHash('sha256').update(name, 'utf16le').digest('hex')}`
}
