import { createHash } from 'node:crypto'
import type { CarriedMessage } from '@headrace/transport'

/** Longest key, id or type of a foreign message, in characters; longer ones are cut and told apart by a digest. */
const nameLimit = 256

/** A foreign producer's key, id and type as our tables can hold them. */
export function storable(message: CarriedMessage): CarriedMessage {
  const { key, id, type } = message
  return { ...message, key: storableName(key), id: storableName(id), type: storableName(type) }
}

function storableName(name: string): string {
  const clean =
    name.isWellFormed() && !name.includes('\u0000') ? name : name.toWellFormed().replaceAll('\u0000', '\ufffd')
  if (clean === name && name.length <= nameLimit) return name
  // What was changed keeps its identity: different names stay different.
  return `${clean.slice(0, nameLimit)}~${createHash('sha256').update(name, 'utf16le').digest('hex')}`
}
