import assert from 'node:assert/strict'
import { it } from 'node:test'
import { encodeEvent, kafkaBinding, type OutgoingMessage } from '@headrace/transport'
import { crc32c, NumericMap, Reader, readRecordsBatch } from '@platformatic/kafka'
import { recordBatch } from '../src/record-batch.ts'
import { produced } from '../src/records.ts'

const place = { topic: 'orders', partition: 3 }

function outgoing(change: Partial<OutgoingMessage> = {}): OutgoingMessage {
  const own = { id: '0195c3c0-0000-7000-8000-000000000001', key: 'k', type: 'placed', headers: {}, at: 1_000 }
  return { ...own, body: Buffer.from('{}'), ...change }
}

/** As the client reads a batch. */
function read(batch: Buffer) {
  const { records, ...head } = readRecordsBatch(Reader.from(batch))
  const text = (bytes: Buffer | null) => bytes?.toString()
  return {
    head,
    records: records.map(({ offsetDelta, timestampDelta, key, value, headers }) => ({
      offsetDelta,
      timestampDelta,
      key: text(key),
      value: text(value),
      headers: headers.map(([name, header]) => [text(name), text(header)]),
    })),
  }
}

it('what we encode reads as key, body and headers, whatever their length and signs', () => {
  const messages = [
    outgoing(),
    outgoing({ key: 'ключ', body: Buffer.alloc(0) }),
    outgoing({ headers: { note: 'ä'.repeat(100), long: 'x'.repeat(300), empty: '' }, key: 'k'.repeat(128) }),
    outgoing({ body: Buffer.from('x'.repeat(50_000)), origin: { log: 'l', partition: 1, offset: 2, base: 0 } }),
    ...Array.from({ length: 300 }, (_, n) => outgoing({ key: `k${n}` })),
  ]
  const { records } = read(recordBatch(produced(messages, place), {}))
  assert.deepEqual(
    records,
    messages.map((message, offsetDelta) => ({
      offsetDelta,
      timestampDelta: 0n,
      key: message.key,
      value: Buffer.from(message.body).toString(),
      headers: encodeEvent(kafkaBinding, message, { topic: place.topic, at: 0 }),
    })),
  )
})

it('a batch says who sent it, from which number on, and its checksum', () => {
  const sequences = new NumericMap([['orders:3', 17]])
  const batch = recordBatch(produced([outgoing(), outgoing()], place), { producerId: 9n, producerEpoch: 2, sequences })
  const { head } = read(batch)
  assert.equal(head.producerId, 9n)
  assert.equal(head.producerEpoch, 2)
  assert.equal(head.firstSequence, 17)
  assert.equal(head.lastOffsetDelta, 1)
  assert.equal(head.magic, 2)
  assert.equal(head.length, batch.length - 12)
  assert.equal(head.crc, crc32c(batch.subarray(21)))
})
