import assert from 'node:assert/strict'
import { type CarriedMessage, logPartitions, type Message, messageBytes, partitionOf } from '../message.ts'

const found = new Map<number, string[]>()

/** The n-th of the keys that belong to a partition of a log. */
export function keyIn(partition: number, nth = 0): string {
  const keys = found.get(partition) ?? []
  found.set(partition, keys)
  for (let tried = keys.length === 0 ? 0 : Number(keys.at(-1)?.slice(1)) + 1; keys.length <= nth; tried += 1) {
    if (partitionOf(`k${tried}`, logPartitions) === partition) keys.push(`k${tried}`)
  }
  return keys[nth] ?? ''
}

/** Messages of one key, numbered from `first`; the number is in the id and the body. */
export function numbered(key: string, count: number, first = 1): Message[] {
  return Array.from({ length: count }, (_, index) => {
    const id = `${key}#${first + index}`
    return { id, key, type: 'suite.numbered', headers: {}, body: Buffer.from(id) }
  })
}

/** One message of exactly this many bytes as encoded. */
export function messageOfBytes(key: string, bytes: number, number = 1): Message {
  const message = { id: `${key}#${number}`, key, type: 'suite.sized', headers: {}, body: new Uint8Array() }
  return { ...message, body: Buffer.alloc(bytes - messageBytes(message), number % 251) }
}

/** Asserts that the ids are these in this order, and says in one line where they first differ. */
export function assertIds(actual: readonly string[], expected: readonly string[], what = 'messages'): void {
  const at = expected.findIndex((id, index) => actual[index] !== id)
  if (at === -1 && actual.length === expected.length) return
  const place = at === -1 ? expected.length : at
  const shown = (ids: readonly string[]) => ids.slice(Math.max(place - 2, 0), place + 3).join(', ') || 'nothing'
  assert.fail(
    `${what} from number ${place + 1} on: ${shown(actual)} instead of ${shown(expected)} (${actual.length} of ${expected.length})`,
  )
}

export function idsOf(messages: readonly Message[]): string[] {
  return messages.map(({ id }) => id)
}

/** What a publisher says of a message, without what the carrier adds. */
export function contentOf({ id, key, type, headers, body }: Message | CarriedMessage) {
  return { id, key, type, headers: { ...headers }, body: Buffer.from(body).toString('hex') }
}
