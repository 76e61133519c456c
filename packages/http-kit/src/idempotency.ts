import { PlatformError } from '@headrace/runtime'
import type { StoredKey, StoredResponse } from './idempotency-store.ts'

/**
 * What a key tells about a request:
 *
 * - `fresh`: never seen; do the work and record the key in the transaction of its effect.
 * - `replay`: done before; answer the same again.
 * - `unanswered`: its effect is recorded, its answer is not (the process was killed in between, or the outcome was
 *   unknown); go on with the same effect id, which makes repeating harmless.
 */
export type KeyDecision =
  | { readonly kind: 'fresh' }
  | { readonly kind: 'replay'; readonly response: StoredResponse }
  | { readonly kind: 'unanswered'; readonly effectId: string }

/** Decides by the stored row. Throws `IDEMPOTENCY_KEY_REUSED` when the key came with another request before. */
export function decideByKey(stored: StoredKey | undefined, requestFingerprint: Buffer): KeyDecision {
  if (stored === undefined) return { kind: 'fresh' }
  if (!stored.fingerprint.equals(requestFingerprint)) {
    throw new PlatformError('IDEMPOTENCY_KEY_REUSED', 'this Idempotency-Key was sent with another request before')
  }
  if (stored.response === undefined) return { kind: 'unanswered', effectId: stored.effectId }
  return { kind: 'replay', response: stored.response }
}

/** The requests of this process that run with a key. */
export interface Twins {
  /**
   * Takes the key until the result is disposed of. Throws `IDEMPOTENCY_KEY_IN_PROGRESS` while another request has it.
   * Twins in other processes meet at the table's unique index instead: see `isTwinConflict`.
   */
  enter(id: Buffer): Disposable
}

/** No request runs yet. */
export function twins(): Twins {
  const running = new Set<string>()
  return {
    enter(id) {
      const name = id.toString('latin1')
      if (running.has(name)) throw keyInProgress()
      running.add(name)
      return { [Symbol.dispose]: () => void running.delete(name) }
    },
  }
}

/** The error for a request whose twin has not finished. */
export function keyInProgress(): PlatformError {
  const details = { retryAfterS: 1 }
  return new PlatformError('IDEMPOTENCY_KEY_IN_PROGRESS', 'a request with this Idempotency-Key is running', { details })
}
