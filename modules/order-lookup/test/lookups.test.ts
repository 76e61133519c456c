import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { payloadsOf } from '../src/cache/coherence.ts'
import { Lookups } from '../src/cache/lookups.ts'
import { type CachedOrder, OrderCache } from '../src/cache/order-cache.ts'

const asBytes = (version: string): CachedOrder => ({ bytes: Buffer.from(version), etag: version, version })

/** A database of versions by id that answers when it is told to, and a clock. */
function world(stalenessMs: number, capacity = 10) {
  const versions = new Map<string, string>()
  const reads: string[] = []
  let gate = Promise.resolve()
  let nowMs = 1000
  const made = new Lookups({
    async read(id) {
      reads.push(id)
      const version = versions.get(id)
      await gate
      return version === undefined ? undefined : asBytes(version)
    },
    async currentVersions(ids) {
      const found = ids.flatMap((id): [string, string][] => [[id, versions.get(id) ?? '']])
      await gate
      return new Map(found)
    },
    stalenessMs,
    capacity,
    maxBytes: 1_000_000,
    now: () => nowMs,
    onError: assert.ifError,
  })
  return {
    versions,
    reads,
    lookups: made,
    pass(ms: number) {
      nowMs += ms
    },
    shut() {
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      return resolve
    },
    async find(id: string) {
      const { order, from } = await made.find(id)
      return `${order?.version} ${from}`
    },
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('lookups', () => {
  it('a miss reads the database once however many ask at the same time, and then it is a hit', async () => {
    const { versions, reads, find } = world(250)
    versions.set('a', '1')
    assert.deepEqual(await Promise.all(Array.from({ length: 50 }, () => find('a'))), Array(50).fill('1 miss'))
    assert.deepEqual(reads, ['a'])
    assert.equal(await find('a'), '1 hit')
  })

  it('an older version is answered at most so long, also without a hint', async () => {
    const { versions, find, pass } = world(250)
    versions.set('a', '1')
    await find('a')
    versions.set('a', '2')
    pass(120)
    assert.equal(await find('a'), '1 hit')
    pass(131)
    assert.equal(await find('a'), '2 miss')
  })

  it('with a bound of 0 every hit is checked, and nobody joins a read that began before the question', async () => {
    const { versions, find, pass, shut, reads, lookups } = world(0)
    versions.set('a', '1')
    await find('a')
    assert.equal(await find('a'), '1 hit')
    versions.set('a', '2')
    assert.equal(await find('a'), '2 miss')
    lookups.forget(['a'])
    const open = shut()
    const before = find('a')
    await turn()
    pass(1)
    versions.set('a', '3')
    const after = find('a')
    await turn()
    open()
    assert.deepEqual([await before, await after], ['2 miss', '3 miss'])
    assert.equal(reads.length, 4)
  })

  it('what is asked for all the time is checked ahead and never waited for', async () => {
    const { versions, find, pass, lookups } = world(200)
    versions.set('a', '1')
    await find('a')
    for (let n = 0; n < 10; n += 1) {
      pass(150)
      assert.ok(!(lookups.find('a') instanceof Promise))
      await turn()
      await turn()
    }
  })

  it('what was read before a change that is known here never enters the cache', async () => {
    const { versions, find, shut, lookups } = world(250)
    versions.set('a', '1')
    const open = shut()
    const early = find('a')
    await turn()
    versions.set('a', '2')
    lookups.forget(['a'])
    open()
    assert.equal(await early, '1 miss')
    assert.equal(await find('a'), '2 miss')
  })

  it('while an order is being written here nothing is answered from memory', async () => {
    const { versions, find, lookups, shut } = world(250)
    versions.set('a', '1')
    await find('a')
    const release = lookups.hold(['a'])
    assert.equal(await find('a'), '1 miss')
    versions.set('a', '2')
    assert.equal(await find('a'), '2 miss')
    const open = shut()
    const during = find('a')
    await turn()
    versions.set('a', '3')
    release()
    open()
    assert.equal(await during, '2 miss')
    assert.equal(await find('a'), '3 miss')
    assert.equal(await find('a'), '3 hit')
  })

  it('while an order is being written here those who ask in one turn share a read, and nobody joins it later', async () => {
    const { versions, find, lookups, shut, reads } = world(250)
    versions.set('a', '1')
    lookups.hold(['a'])
    const open = shut()
    const early = Promise.all(Array.from({ length: 50 }, () => find('a')))
    await turn()
    versions.set('a', '2')
    const late = find('a')
    open()
    assert.deepEqual([...(await early), await late], [...Array(50).fill('1 miss'), '2 miss'])
    assert.deepEqual(reads, ['a', 'a'])
  })

  it('a hold whose batch’s end is not told ends by itself', async () => {
    const { versions, find, lookups, pass } = world(60_000)
    versions.set('a', '1')
    lookups.hold(['a'])
    pass(30_001)
    await find('a')
    assert.equal(await find('a'), '1 hit')
  })

  it('is bounded in number and in bytes, and the one asked for longest ago goes first', () => {
    const cache = new OrderCache({ capacity: 3, maxBytes: 4_000, now: () => 0 })
    using load = cache.load()
    for (const id of ['a', 'b', 'c']) load.put(id, asBytes(id))
    cache.find('a')
    load.put('d', asBytes('d'))
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((id) => cache.find(id) !== undefined),
      [true, false, true, true],
    )
    load.put('e', asBytes('x'.repeat(1_500)))
    const { size, bytes, evictions } = cache.stats
    assert.ok(size <= 3 && bytes <= 4_000 && evictions === 2, JSON.stringify(cache.stats))
    load.put('f', asBytes('x'.repeat(4_000)))
    assert.equal(cache.find('f'), undefined)
  })

  it('hints hold every id once and each fits its limit', () => {
    const ids = Array.from({ length: 500 }, (_, n) => `order-"${n}"-ü`)
    const payloads = payloadsOf(ids, 1_000)
    assert.ok(payloads.every((payload) => Buffer.byteLength(payload) <= 1_000))
    assert.deepEqual(
      payloads.flatMap((payload) => JSON.parse(payload) as string[]),
      ids,
    )
  })
})
