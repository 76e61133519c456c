import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { hasCode } from '@headrace/runtime'
import { type KeyValue, keyLimitBytes, ttlLimitMs, valueLimitBytes } from '../keyvalue.ts'
import { type DriverPromise, driverPromise, until } from './proof.ts'

/** What a key-value driver is proved with. */
export interface KeyValueFixture extends AsyncDisposable {
  readonly store: KeyValue
  /** The same store as another process has it. */
  readonly twin: KeyValue
  /** The driver with no server behind it; fails within a second. */
  readonly unreachable: KeyValue
}

const hour = { ttlMs: 3_600_000 }
const moment = { ttlMs: 30 }
const callers = 16

/** What every `KeyValue` keeps. */
export const keyValuePromises: readonly DriverPromise<KeyValueFixture>[] = [
  driverPromise('a stored value is returned unchanged, to other processes too', async ({ store, twin }) => {
    const texts = ['', 'text', '{"a":[1,"\\u0000"]}', "'; -- \\ %s \r\n\t", 'ž€😀', 'x'.repeat(valueLimitBytes)]
    for (const value of texts) {
      const key = newKey()
      await store.set(key, value, hour)
      assert.equal(await twin.get(key), value)
    }
  }),
  driverPromise('what was never stored is not there', async ({ store }) => {
    assert.equal(await store.get(newKey()), undefined)
    assert.equal(await store.get('__proto__'), undefined)
    assert.equal(await store.take(newKey()), undefined)
    assert.equal(await store.delete(newKey()), false)
  }),
  driverPromise('keys that differ in one byte are different keys', async ({ store }) => {
    const key = newKey()
    const keys = ['a', 'A', 'a ', ' a', 'é', 'e\u0301', '*', '?'].map((end) => key + end)
    for (const each of keys) await store.set(each, each, hour)
    for (const each of keys) assert.equal(await store.get(each), each)
  }),
  driverPromise('the longest key is a key', async ({ store }) => {
    const key = newKey().padEnd(keyLimitBytes, 'k')
    await store.set(key, 'value', hour)
    assert.equal(await store.get(key), 'value')
  }),
  driverPromise('storing again replaces the value and its time', async ({ store }) => {
    const [longer, shorter] = [newKey(), newKey()]
    await store.set(longer, 'old', moment)
    await store.set(longer, 'new', hour)
    await store.set(shorter, 'old', hour)
    await store.set(shorter, 'new', moment)
    await until('the shorter time ends', async () => (await store.get(shorter)) === undefined)
    assert.equal(await store.get(longer), 'new')
  }),
  driverPromise('an expired value is not read', async ({ store }) => {
    await expired(store)
  }),
  driverPromise('an expired value is not taken', async ({ store }) => {
    assert.equal(await store.take(await expired(store)), undefined)
  }),
  driverPromise('an expired value counts as absent when deleted', async ({ store }) => {
    assert.equal(await store.delete(await expired(store)), false)
  }),
  driverPromise('an expired value is not compared with', async ({ store }) => {
    const key = await expired(store)
    assert.equal(await store.compareAndSet(key, 'old', 'new', hour), false)
    assert.equal(await store.get(key), undefined)
  }),
  driverPromise('an expired value makes room for setIfAbsent', async ({ store }) => {
    const key = await expired(store)
    assert.equal(await store.setIfAbsent(key, 'new', hour), true)
    assert.equal(await store.get(key), 'new')
  }),
  driverPromise('times go by the store’s clock, however wrong this process’s is', async ({ store }) => {
    const [kept, ends] = [newKey(), newKey()]
    await store.set(kept, 'value', hour)
    await withClockOff(2 * hour.ttlMs, async () => {
      assert.equal(await store.get(kept), 'value')
    })
    await withClockOff(-2 * hour.ttlMs, async () => {
      await store.set(kept, 'value', hour)
      await store.set(ends, 'value', moment)
    })
    assert.equal(await store.get(kept), 'value')
    await until('the value ends', async () => (await store.get(ends)) === undefined)
  }),
  driverPromise('setIfAbsent leaves a living value and its time as they are', async ({ store }) => {
    const key = newKey()
    assert.equal(await store.setIfAbsent(key, 'first', hour), true)
    assert.equal(await store.setIfAbsent(key, 'second', moment), false)
    await expired(store)
    assert.equal(await store.get(key), 'first')
  }),
  driverPromise('of simultaneous setIfAbsent one succeeds, on a new key and on an expired one', async (fixture) => {
    for (const key of [newKey(), await expired(fixture.store)]) {
      const stored = await simultaneously(fixture, (store, caller) => store.setIfAbsent(key, `by ${caller}`, hour))
      assert.equal(stored.filter(Boolean).length, 1)
      assert.equal(await fixture.store.get(key), `by ${stored.indexOf(true)}`)
    }
  }),
  driverPromise('compareAndSet replaces exactly the expected value, with a new time', async ({ store }) => {
    const key = newKey()
    await store.set(key, 'old', hour)
    assert.equal(await store.compareAndSet(key, 'OLD', 'new', hour), false)
    assert.equal(await store.compareAndSet(key, 'old ', 'new', hour), false)
    assert.equal(await store.get(key), 'old')
    assert.equal(await store.compareAndSet(key, 'old', 'new', hour), true)
    assert.equal(await store.get(key), 'new')
    assert.equal(await store.compareAndSet(key, 'new', 'newer', moment), true)
    await until('the new time ends', async () => (await store.get(key)) === undefined)
  }),
  driverPromise('compareAndSet stores nothing where nothing was', async ({ store }) => {
    const key = newKey()
    assert.equal(await store.compareAndSet(key, '', 'new', hour), false)
    assert.equal(await store.get(key), undefined)
  }),
  driverPromise('of simultaneous compareAndSet one succeeds', async (fixture) => {
    const key = newKey()
    await fixture.store.set(key, 'old', hour)
    const done = await simultaneously(fixture, (store, caller) => store.compareAndSet(key, 'old', `by ${caller}`, hour))
    assert.equal(done.filter(Boolean).length, 1)
    assert.equal(await fixture.store.get(key), `by ${done.indexOf(true)}`)
  }),
  driverPromise('take returns the value and removes it', async ({ store }) => {
    const key = newKey()
    await store.set(key, 'value', hour)
    assert.equal(await store.take(key), 'value')
    assert.equal(await store.get(key), undefined)
  }),
  driverPromise('of simultaneous takes one gets the value', async (fixture) => {
    const key = newKey()
    await fixture.store.set(key, 'value', hour)
    const taken = await simultaneously(fixture, (store) => store.take(key))
    assert.deepEqual(
      taken.filter((value) => value !== undefined),
      ['value'],
    )
  }),
  driverPromise('delete removes the value and tells whether there was one', async ({ store }) => {
    const key = newKey()
    await store.set(key, 'value', hour)
    assert.equal(await store.delete(key), true)
    assert.equal(await store.get(key), undefined)
    assert.equal(await store.delete(key), false)
  }),
  driverPromise('simultaneous increments count each caller once', async (fixture) => {
    const key = newKey()
    const counters = await simultaneously(fixture, (store) => store.increment(key, hour))
    const counts = counters.map(({ count }) => count).sort((a, b) => a - b)
    assert.deepEqual(
      counts,
      Array.from({ length: callers }, (_, index) => index + 1),
    )
    assert.equal(await fixture.store.get(key), String(callers))
  }),
  driverPromise('later increments do not change the time of a count', async ({ store }) => {
    const key = newKey()
    const first = await store.increment(key, hour)
    assert.ok(first.expiresInMs >= 1 && first.expiresInMs <= hour.ttlMs, `${first.expiresInMs} ms is not the hour`)
    const second = await store.increment(key, moment)
    assert.ok(second.expiresInMs > moment.ttlMs && second.expiresInMs <= first.expiresInMs, `${second.expiresInMs} ms`)
    await expired(store)
    assert.equal((await store.increment(key, { ttlMs: 2 * hour.ttlMs })).count, 3)
    assert.ok((await store.increment(key, hour)).expiresInMs <= first.expiresInMs, 'the count was prolonged')
  }),
  driverPromise('a count whose time has ended starts again at 1 with a new time', async ({ store }) => {
    const key = newKey()
    assert.equal((await store.increment(key, moment)).count, 1)
    await until('counting starts again', async () => (await store.increment(key, hour)).count === 1)
    const { expiresInMs } = await store.increment(key, moment)
    assert.ok(expiresInMs > moment.ttlMs, `${expiresInMs} ms is the old time`)
  }),
  driverPromise('increment refuses a value that is no integer and leaves it', async ({ store }) => {
    const key = newKey()
    await store.set(key, 'many', hour)
    await assert.rejects(store.increment(key, hour), TypeError)
    assert.equal(await store.get(key), 'many')
  }),
  driverPromise('a key out of bounds is refused by every method', async ({ store }) => {
    const tooLong = 'é'.repeat(keyLimitBytes / 2 + 1)
    for (const key of ['', tooLong]) await refusedByAll(store, key, RangeError)
    for (const key of ['a\0b', 'a\ud800']) await refusedByAll(store, key, TypeError)
  }),
  driverPromise('a value out of bounds is refused and not stored', async ({ store }) => {
    const key = newKey()
    const bad = [
      ['\0', TypeError],
      ['\udc00', TypeError],
      ['x'.repeat(valueLimitBytes + 1), RangeError],
    ] as const
    for (const [value, kind] of bad) {
      await assert.rejects(store.set(key, value, hour), kind)
      await assert.rejects(store.setIfAbsent(key, value, hour), kind)
      assert.equal(await store.get(key), undefined)
      await assert.rejects(store.compareAndSet(key, 'old', value, hour), kind)
    }
  }),
  driverPromise('a time out of bounds is refused and nothing stored', async ({ store }) => {
    const key = newKey()
    for (const ttlMs of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, ttlLimitMs + 1]) {
      await assert.rejects(store.set(key, 'value', { ttlMs }), RangeError)
      await assert.rejects(store.setIfAbsent(key, 'value', { ttlMs }), RangeError)
      await assert.rejects(store.compareAndSet(key, 'old', 'value', { ttlMs }), RangeError)
      await assert.rejects(store.increment(key, { ttlMs }), RangeError)
    }
    assert.equal(await store.get(key), undefined)
    await store.set(key, 'value', { ttlMs: ttlLimitMs })
    assert.equal(await store.take(key), 'value')
  }),
  driverPromise('a store that cannot be reached is an error, never an absent value', async ({ unreachable }) => {
    for (const [method, call] of everyMethod(unreachable, newKey())) {
      await assert.rejects(call(), (error) => hasCode(error, 'KEYVALUE_UNAVAILABLE'), `${method} did not say so`)
    }
  }),
]

/** A key of its own, so that proofs may share a store. */
function newKey(): string {
  return `suite:${randomUUID()}:`
}

/** The key of a value 'old' that the store no longer shows. */
async function expired(store: KeyValue): Promise<string> {
  const key = newKey()
  await store.set(key, 'old', moment)
  await until('the value ends', async () => (await store.get(key)) === undefined)
  return key
}

/** Calls by 16 callers at once, half of them in another process. */
function simultaneously<T>(
  { store, twin }: KeyValueFixture,
  call: (store: KeyValue, caller: number) => Promise<T>,
): Promise<T[]> {
  return Promise.all(Array.from({ length: callers }, (_, caller) => call(caller % 2 === 0 ? store : twin, caller)))
}

async function withClockOff(byMs: number, action: () => Promise<void>): Promise<void> {
  const right = Date.now
  Date.now = () => right() + byMs
  try {
    await action()
  } finally {
    Date.now = right
  }
}

function everyMethod(store: KeyValue, key: string): readonly (readonly [string, () => Promise<unknown>])[] {
  return [
    ['get', () => store.get(key)],
    ['set', () => store.set(key, 'value', hour)],
    ['setIfAbsent', () => store.setIfAbsent(key, 'value', hour)],
    ['compareAndSet', () => store.compareAndSet(key, 'old', 'value', hour)],
    ['take', () => store.take(key)],
    ['delete', () => store.delete(key)],
    ['increment', () => store.increment(key, hour)],
  ]
}

async function refusedByAll(store: KeyValue, key: string, kind: typeof RangeError | typeof TypeError): Promise<void> {
  for (const [method, call] of everyMethod(store, key)) {
    await assert.rejects(call(), kind, `${method} took the key ${JSON.stringify(key.slice(0, 20))}`)
  }
}
