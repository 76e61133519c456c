import { setImmediate as nextTurn } from 'node:timers/promises'
import type { KeyValue, Ttl } from '../src/keyvalue.ts'
import { memoryKeyValue, type StoreParts, storeParts, unreachableKeyValue } from './memory-keyvalue.ts'

export interface BrokenStores {
  readonly store: KeyValue
  readonly twin?: KeyValue
  readonly unreachable?: KeyValue
}

/** A driver that breaks the promise of that name. */
export interface KeyValueMutant {
  readonly kills: string
  make(): BrokenStores
}

type Break = (store: KeyValue, parts: StoreParts) => Partial<KeyValue>

/** A mutant with some methods replaced. */
function mutant(kills: string, breaks: Break): KeyValueMutant {
  return {
    kills,
    make() {
      const parts = storeParts()
      const store = memoryKeyValue(parts)
      return { store: { ...store, ...breaks(store, parts) } }
    },
  }
}

/** A mutant with some parts replaced. */
function mutantOf(kills: string, broken: Partial<StoreParts>): KeyValueMutant {
  return { kills, make: () => ({ store: memoryKeyValue({ ...storeParts(), ...broken }) }) }
}

const none = () => undefined

/** What is stored, expired or not. */
const raw = (parts: StoreParts, key: string) => parts.entries.get(key)?.value

export const keyValueMutants: readonly KeyValueMutant[] = [
  {
    kills: 'a stored value is returned unchanged, to other processes too',
    make: () => ({ store: memoryKeyValue(storeParts()), twin: memoryKeyValue(storeParts()) }),
  },
  mutant('a stored value is returned unchanged, to other processes too', (store) => ({
    set: (key, value, ttl) => store.set(key, value.trim(), ttl),
  })),
  mutant('what was never stored is not there', (store) => ({
    get: async (key) => (await store.get(key)) ?? '',
  })),
  mutant('what was never stored is not there', (store) => ({
    // A plain object as the map: it has a __proto__.
    get: async (key) => (key in {} ? 'inherited' : store.get(key)),
  })),
  mutant('keys that differ in one byte are different keys', (store) => ({
    get: (key) => store.get(key.toUpperCase()),
    set: (key, value, ttl) => store.set(key.toUpperCase(), value, ttl),
  })),
  mutant('keys that differ in one byte are different keys', (store) => ({
    get: (key) => store.get(key.normalize()),
    set: (key, value, ttl) => store.set(key.normalize(), value, ttl),
  })),
  mutantOf('the longest key is a key', {
    checkKey(key) {
      if (key.length >= 512) throw new RangeError('key: too long')
    },
  }),
  mutant('storing again replaces the value and its time', (store, parts) => ({
    async set(key, value, ttl) {
      const before = parts.entries.get(key)
      await store.set(key, value, ttl)
      if (before !== undefined) parts.entries.set(key, { value, endsAt: before.endsAt })
    },
  })),
  mutant('an expired value is not read', (_, parts) => ({ get: async (key) => raw(parts, key) })),
  mutant('an expired value is not taken', (store, parts) => ({
    async take(key) {
      const value = raw(parts, key)
      await store.delete(key)
      return value
    },
  })),
  mutant('an expired value counts as absent when deleted', (_, parts) => ({
    delete: async (key) => parts.entries.delete(key),
  })),
  mutant('an expired value is not compared with', (store, parts) => ({
    async compareAndSet(key, expected, value, ttl) {
      if (raw(parts, key) !== expected) return false
      await store.set(key, value, ttl)
      return true
    },
  })),
  mutant('an expired value makes room for setIfAbsent', (store, parts) => ({
    async setIfAbsent(key, value, ttl) {
      if (parts.entries.has(key)) return false
      await store.set(key, value, ttl)
      return true
    },
  })),
  mutantOf('times go by the store’s clock, however wrong this process’s is', { now: () => Date.now() }),
  mutant('setIfAbsent leaves a living value and its time as they are', (store, parts) => ({
    async setIfAbsent(key, value, ttl) {
      const entry = parts.entries.get(key)
      if (entry !== undefined) parts.entries.set(key, { ...entry, endsAt: parts.now() + ttl.ttlMs })
      return store.setIfAbsent(key, value, ttl)
    },
  })),
  mutant('of simultaneous setIfAbsent one succeeds, on a new key and on an expired one', (store) => ({
    async setIfAbsent(key, value, ttl) {
      if ((await store.get(key)) !== undefined) return false
      await store.set(key, value, ttl)
      return true
    },
  })),
  mutant('compareAndSet replaces exactly the expected value, with a new time', (store) => ({
    async compareAndSet(key, expected, value, ttl) {
      const found = await store.get(key)
      return store.compareAndSet(key, found?.trim() === expected.trim() ? (found ?? '') : expected, value, ttl)
    },
  })),
  mutant('compareAndSet stores nothing where nothing was', (store) => ({
    async compareAndSet(key, expected, value, ttl) {
      if (expected === '' && (await store.setIfAbsent(key, value, ttl))) return true
      return store.compareAndSet(key, expected, value, ttl)
    },
  })),
  mutant('of simultaneous compareAndSet one succeeds', (store) => ({
    async compareAndSet(key, expected, value, ttl) {
      if ((await store.get(key)) !== expected) return false
      await store.set(key, value, ttl)
      return true
    },
  })),
  mutant('take returns the value and removes it', (store) => ({ take: (key) => store.get(key) })),
  mutant('of simultaneous takes one gets the value', (store) => ({
    async take(key) {
      const value = await store.get(key)
      await store.delete(key)
      return value
    },
  })),
  mutant('delete removes the value and tells whether there was one', (store) => ({
    delete: async (key) => (await store.delete(key)) || true,
  })),
  mutant('simultaneous increments count each caller once', (store) => ({
    async increment(key, ttl) {
      const count = Number((await store.get(key)) ?? '0') + 1
      await nextTurn()
      await store.set(key, String(count), ttl)
      return { count, expiresInMs: ttl.ttlMs }
    },
  })),
  mutant('later increments do not change the time of a count', (store, parts) => ({
    async increment(key, ttl) {
      const { count } = await store.increment(key, ttl)
      parts.entries.set(key, { value: String(count), endsAt: parts.now() + ttl.ttlMs })
      return { count, expiresInMs: ttl.ttlMs }
    },
  })),
  mutant('a count whose time has ended starts again at 1 with a new time', (store, parts) => ({
    increment(key, ttl) {
      const entry = parts.entries.get(key)
      // The old row is found again and only given a new time.
      if (entry !== undefined && entry.endsAt <= parts.now()) {
        parts.entries.set(key, { value: entry.value, endsAt: parts.now() + ttl.ttlMs })
      }
      return store.increment(key, ttl)
    },
  })),
  mutant('increment refuses a value that is no integer and leaves it', (store) => ({
    async increment(key: string, ttl: Ttl) {
      const isCount = /^\d*$/.test((await store.get(key)) ?? '')
      if (!isCount) await store.delete(key)
      return store.increment(key, ttl)
    },
  })),
  mutantOf('a key out of bounds is refused by every method', { checkKey: none }),
  mutant('a key out of bounds is refused by every method', (store) => ({
    take: (key) => store.take(key.slice(0, 100).replace('\0', '')),
  })),
  mutantOf('a value out of bounds is refused and not stored', { checkValue: none }),
  mutantOf('a time out of bounds is refused and nothing stored', { checkTtl: none }),
  {
    kills: 'a store that cannot be reached is an error, never an absent value',
    make: () => ({
      store: memoryKeyValue(storeParts()),
      unreachable: { ...unreachableKeyValue(), get: async () => undefined },
    }),
  },
]
