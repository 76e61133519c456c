import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readOrder } from '../src/contract.ts'
import { compareVersions, type LaneTime, newestOfEach, type Stamped, versionsOf } from '../src/domain/versions.ts'
import { exampleOrder, rubbish } from './support/orders.ts'

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))

describe('reading an order', () => {
  it('the contract’s order is read as it is', () => {
    assert.deepEqual(readOrder(bytes(exampleOrder())), { kind: 'order', order: exampleOrder() })
  })

  it('unknown fields are left out', () => {
    const more = { ...exampleOrder(), more: 1, delivery: { ...exampleOrder().delivery, floor: 3 } }
    assert.deepEqual(readOrder(bytes(more)), { kind: 'order', order: exampleOrder() })
  })

  it('times of every shape of RFC 3339 are kept as they are written', () => {
    for (const date_created of [
      '2024-02-29T23:59:59.123456789+14:00',
      '0000-01-01T00:00:00-23:59',
      '2021-11-26t06:22:19z',
    ]) {
      const reading = readOrder(bytes(exampleOrder({ date_created })))
      assert.equal(reading.kind === 'order' && reading.order.date_created, date_created)
    }
  })

  for (const [body, reason] of rubbish()) {
    const name = typeof body === 'string' ? body : 'bytes'
    it(`rubbish is told why: ${name.slice(0, 60)} → ${reason.source}`, () => {
      const reading = readOrder(Buffer.from(body))
      assert.match(reading.kind === 'rubbish' ? reading.reason : 'an order', reason)
    })
  }

  it('whatever the bytes are, it answers', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json().map(Buffer.from), anythingLikeOrder()), (body) => {
        assert.match(readOrder(body).kind, /^(order|rubbish)$/)
      }),
    )
  })
})

function anythingLikeOrder() {
  const names = Object.keys(exampleOrder())
  return fc
    .tuple(fc.constantFrom(...names), fc.jsonValue())
    .map(([name, value]) => bytes({ ...exampleOrder(), [name]: value }))
}

describe('the newest version', () => {
  const topic = 'orders'
  const spot = (offset: number, partition = 0, origin = 'log') => ({ topic, origin, partition, offset })
  const stamped = (at: number, offset: number): Stamped => ({ at, topic, spot: spot(offset) })

  it('a time is capped at now and never before its lane’s previous one', () => {
    const times = new Map<string, LaneTime>()
    const versions = versionsOf([stamped(10.7, 1), stamped(5, 2), stamped(900, 3), stamped(30, 4)], 100, times)
    assert.deepEqual(
      versions.map(({ atMs }) => atMs),
      [10, 10, 100, 100],
    )
    assert.deepEqual(
      versionsOf([stamped(7, 5)], 100, times).map(({ atMs }) => atMs),
      [100],
    )
  })

  it('a message that its lane has passed keeps its own time, capped at the lane’s, and moves nothing', () => {
    const times = new Map<string, LaneTime>()
    versionsOf([stamped(10, 1), stamped(40, 4)], 100, times)
    const late = versionsOf([stamped(20, 2), stamped(60, 3), stamped(30, 5)], 100, times)
    assert.deepEqual(
      late.map(({ atMs }) => atMs),
      [20, 40, 40],
    )
    assert.deepEqual([...times.values()], [{ atMs: 40, origin: 'log', partition: 0, offset: 5 }])
  })

  it('is told by time, then origin, then position', () => {
    const sorted = [
      { atMs: 1, ...spot(9, 9, 'z') },
      { atMs: 2, ...spot(9, 9, 'a') },
      { atMs: 2, ...spot(9, 0, 'b') },
      { atMs: 2, ...spot(1, 1, 'b') },
      { atMs: 2, ...spot(2, 1, 'b') },
      { atMs: 3, ...spot(1, 1, 'b'), topic: 'others' },
    ]
    assert.deepEqual(sorted.toReversed().toSorted(compareVersions), sorted)
  })

  it('is told in one lane by its position, whatever the times', () => {
    assert.ok(compareVersions({ atMs: 9, ...spot(1) }, { atMs: 1, ...spot(2) }) < 0)
  })

  it('of a batch is the same in any order of its lanes, each order once and sorted', () => {
    const all = Array.from({ length: 12 }, (_, n) => ({
      id: `o${n % 3}`,
      version: { atMs: n >> 2, ...spot(n, n % 2) },
    }))
    const expected = newestOfEach(all)
    assert.deepEqual(
      expected.map(({ id }) => id),
      ['o0', 'o1', 'o2'],
    )
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (shuffled) => {
        assert.deepEqual(newestOfEach(shuffled), expected)
      }),
    )
  })
})
