import { createHash } from 'node:crypto'
import type { KeyValue } from '@headrace/keyvalue'
import { PlatformError } from '@headrace/runtime'

/** What failures are counted by. */
export interface Counted {
  readonly kind: 'account' | 'address'
  /** Who it is; only its digest is stored. */
  readonly name: string
}

export interface ThrottleNeeds {
  readonly keyvalue: KeyValue
  /** Failures after which nothing more is tried. */
  readonly limits: Readonly<Record<Counted['kind'], number>>
  /** Failures are counted for so long from the first one on, in ms. */
  readonly windowMs: number
}

/** Counts failures, for all replicas together. */
export interface Throttle {
  /** Throws `TOO_MANY_REQUESTS`, with the time until the window ends, when any of them has failed too often. */
  admit(...counted: readonly Counted[]): Promise<void>
  /** Counts a failure. Throws like `admit` when it is one too many: of those that come at once the last learn nothing. */
  failed(...counted: readonly Counted[]): Promise<void>
  /** Forgets the failures of one that has succeeded. */
  succeeded(counted: Counted): Promise<void>
}

/** A throttle whose counts are in the key-value store. */
export function throttle({ keyvalue, limits, windowMs }: ThrottleNeeds): Throttle {
  const ttl = { ttlMs: windowMs }

  async function admitOne(counted: Counted): Promise<void> {
    if (Number((await keyvalue.get(keyOf(counted))) ?? 0) < limits[counted.kind]) return
    // Counting once more tells when the window ends, and does not move it.
    await failedOne(counted)
  }

  async function failedOne(counted: Counted): Promise<void> {
    const { count, expiresInMs } = await keyvalue.increment(keyOf(counted), ttl)
    if (count <= limits[counted.kind]) return
    throw new PlatformError('TOO_MANY_REQUESTS', `too many failures: try again in ${Math.ceil(expiresInMs / 1000)} s`, {
      details: { retryAfterS: expiresInMs / 1000 },
    })
  }

  return {
    async admit(...counted) {
      await Promise.all(counted.map(admitOne))
    },
    async failed(...counted) {
      await Promise.all(counted.map(failedOne))
    },
    async succeeded(counted) {
      await keyvalue.delete(keyOf(counted))
    },
  }
}

function keyOf({ kind, name }: Counted): string {
  return `failures:${kind}:${createHash('sha256').update(name).digest('base64url')}`
}
