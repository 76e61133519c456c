import { valueLimitBytes } from '@headrace/keyvalue'
import type { Payload } from '../domain/amount.ts'

/** What a message takes besides its payload, in bytes, with room to spare; half of it an external id all of escapes. */
const envelopeBytes = 3_072

/** A payload's size as all who write it again write it; a foreign producer's text may be shorter: 1e20 is 21 digits. */
export function payloadBytes(payload: Payload | null): number {
  return Buffer.byteLength(JSON.stringify(payload))
}

/** Largest payload in bytes: every message about its order is within the limit, and its result a value that can be kept. */
export function payloadLimitBytes(messageLimitBytes: number): number {
  return Math.min(messageLimitBytes, valueLimitBytes) - envelopeBytes
}
