import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RecordsBatch } from '@platformatic/kafka'
import { Reading } from '../src/reading.ts'
import { endOf, recordsOf } from '../src/records.ts'

const transactional = 0x10
const control = 0x20

/** A batch of so many records, whose values are their offsets. */
function batch(firstOffset: number, count: number, changes: Partial<RecordsBatch> = {}): RecordsBatch {
  const records = Array.from({ length: count }, (_, offsetDelta) => ({
    length: 0,
    attributes: 0,
    timestampDelta: 0n,
    offsetDelta,
    key: Buffer.from('k'),
    value: Buffer.from(String(firstOffset + offsetDelta)),
    headers: [],
  }))
  return {
    firstOffset: BigInt(firstOffset),
    length: 0,
    partitionLeaderEpoch: 0,
    magic: 2,
    crc: 0,
    attributes: 0,
    lastOffsetDelta: count - 1,
    firstTimestamp: 1_000n,
    maxTimestamp: 2_000n,
    producerId: 7n,
    producerEpoch: 0,
    firstSequence: 0,
    records,
    ...changes,
  }
}

const offsetsOf = (records: readonly { readonly offset: number }[]) => records.map(({ offset }) => offset)

describe('the records of an answer', () => {
  it('begin at the offset that was asked for, and end behind the last batch with its holes', () => {
    const batches = [batch(10, 3), batch(13, 2, { lastOffsetDelta: 6 })]
    assert.deepEqual(offsetsOf(recordsOf(batches, 11)), [11, 12, 13, 14])
    assert.equal(endOf(batches, 11), 20)
    assert.equal(endOf([], 11), 11)
  })

  it('hold nothing of transactions that were taken back, however many one producer had', () => {
    const sent = { attributes: transactional }
    const end = { attributes: transactional | control }
    const batches = [
      batch(0, 1, sent),
      batch(1, 1, end),
      batch(2, 1, sent),
      batch(3, 1, end),
      batch(4, 1, sent),
      batch(5, 1, end),
    ]
    const other = batch(6, 1, { ...sent, producerId: 8n })
    const aborted = [4n, 0n].map((firstOffset) => ({ producerId: 7n, firstOffset }))
    assert.deepEqual(offsetsOf(recordsOf([...batches, other, batch(7, 1)], 0, aborted)), [2, 6, 7])
  })

  it('tell the broker’s time where the topic is set so', () => {
    assert.equal(recordsOf([batch(0, 1)], 0)[0]?.at, 1_000)
    assert.equal(recordsOf([batch(0, 1, { attributes: 0x08 })], 0)[0]?.at, 2_000)
  })
})

describe('a read', () => {
  const open = (maxMessages = 2, maxBytes = 1_000) =>
    new Reading({ topic: 't', partition: 0 }, { incarnation: 'i', next: 0 }, { maxMessages, maxBytes })
  const fetched = (from: number, count: number, end: number) => ({
    records: recordsOf([batch(from, count)], from),
    next: from + count,
    end,
  })

  it('wants nothing while it holds something, reads ahead in a backlog, and not at the end', async () => {
    const reading = open()
    assert.equal(reading.wants, false)
    let woken = 0
    const ready = reading.ready(() => {
      woken += 1
    })
    assert.deepEqual([reading.wants, woken], [true, 1])
    reading.offer(fetched(0, 3, 9))
    await ready
    assert.equal(reading.take()?.messages.length, 2)
    assert.equal(reading.wants, false)
    const last = reading.take()
    assert.deepEqual([last?.messages.length, last?.atEnd, reading.wants], [1, false, true])
    reading.offer(fetched(3, 1, 4))
    assert.deepEqual([reading.take()?.atEnd, reading.wants, reading.take()], [true, false, undefined])
  })

  it('takes of what others asked for only what comes next for it', () => {
    const reading = open(10)
    reading.next = 2
    reading.offer(fetched(0, 4, 4))
    assert.deepEqual(
      reading.take()?.messages.map(({ position }) => position),
      [3, 4],
    )
  })

  it('keeps to the bytes asked for, but gives at least one message', () => {
    const reading = open(10, 1)
    reading.offer(fetched(0, 2, 2))
    assert.deepEqual([reading.take()?.messages.length, reading.take()?.messages.length], [1, 1])
  })

  it('fails behind what it holds', async () => {
    const reading = open()
    reading.offer(fetched(0, 1, 1))
    reading.fail(new Error('away'))
    await reading.ready(() => undefined)
    assert.equal(reading.take()?.messages.length, 1)
    assert.throws(() => reading.take(), /away/)
  })
})
