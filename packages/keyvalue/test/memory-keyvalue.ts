import { PlatformError } from '@headrace/runtime'
import { type KeyValue, requireKey, requireTtl, requireValue } from '../src/keyvalue.ts'

/** A value with its end in ms by the store's clock. */
export interface Entry {
  readonly value: string
  readonly endsAt: number
}

/** What a store in memory consists of, so that a mutant can break one part. */
export interface StoreParts {
  readonly entries: Map<string, Entry>
  readonly now: () => number
  readonly checkKey: (key: string) => void
  readonly checkValue: (value: string) => void
  readonly checkTtl: (ttl: { readonly ttlMs: number }) => void
}

/** Parts that keep every promise. */
export function storeParts(): StoreParts {
  return {
    entries: new Map(),
    now: () => performance.now(),
    checkKey: requireKey,
    checkValue: requireValue,
    checkTtl: requireTtl,
  }
}

/** The model of a key-value store: what the suite accepts with nothing broken. */
export function memoryKeyValue({ entries, now, checkKey, checkValue, checkTtl }: StoreParts): KeyValue {
  const living = (key: string) => {
    const entry = entries.get(key)
    return entry !== undefined && entry.endsAt > now() ? entry : undefined
  }
  const put = (key: string, value: string, ttl: { readonly ttlMs: number }) => {
    entries.set(key, { value, endsAt: now() + ttl.ttlMs })
  }
  const take = (key: string) => {
    checkKey(key)
    const value = living(key)?.value
    entries.delete(key)
    return value
  }
  const check = (key: string, value: string, ttl: { readonly ttlMs: number }) => {
    checkKey(key)
    checkValue(value)
    checkTtl(ttl)
  }
  return {
    async get(key) {
      checkKey(key)
      return living(key)?.value
    },
    async set(key, value, ttl) {
      check(key, value, ttl)
      put(key, value, ttl)
    },
    async setIfAbsent(key, value, ttl) {
      check(key, value, ttl)
      if (living(key) !== undefined) return false
      put(key, value, ttl)
      return true
    },
    async compareAndSet(key, expected, value, ttl) {
      check(key, value, ttl)
      checkValue(expected)
      if (living(key)?.value !== expected) return false
      put(key, value, ttl)
      return true
    },
    take: async (key) => take(key),
    delete: async (key) => take(key) !== undefined,
    async increment(key, ttl) {
      check(key, '', ttl)
      const entry = living(key) ?? { value: '0', endsAt: now() + ttl.ttlMs }
      if (!/^-?\d+$/.test(entry.value)) throw new TypeError('the value is no integer')
      const count = Number(entry.value) + 1
      entries.set(key, { value: String(count), endsAt: entry.endsAt })
      return { count, expiresInMs: Math.max(1, Math.ceil(entry.endsAt - now())) }
    },
  }
}

/** A store whose every call says that it cannot be reached. */
export function unreachableKeyValue(): KeyValue {
  const fail = async (): Promise<never> => {
    throw new PlatformError('KEYVALUE_UNAVAILABLE', 'the key-value store is not available')
  }
  return { get: fail, set: fail, setIfAbsent: fail, compareAndSet: fail, take: fail, delete: fail, increment: fail }
}
