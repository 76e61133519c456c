import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeEvent, kafkaBinding, type OutgoingMessage } from '@headrace/transport'
import { type Connection, type MessageRecord, NumericMap, type Writer } from '@platformatic/kafka'
import { encoding, versions } from '../src/batch-producer.ts'
import { produced } from '../src/records.ts'

/** The client orders the partitions of a topic, for which the protocol has no order. */
const places = [
  { topic: 'orders', partition: 0 },
  { topic: 'orders', partition: 3 },
  { topic: 'payments', partition: 3 },
]
const messages: OutgoingMessage[] = Array.from({ length: 200 }, (_, n) => {
  const own = {
    id: `${n}`,
    key: n === 0 ? 'ключ' : `k${n}`,
    type: 'placed',
    headers: { note: 'x'.repeat(n) },
    at: 1_000,
  }
  return { ...own, body: Buffer.from('y'.repeat(n)) }
})
const options = {
  producerId: 9n,
  producerEpoch: 2,
  sequences: new NumericMap([
    ['orders:3', 17],
    ['payments:3', 4],
  ]),
}
const acks = -1
const timeoutMs = 3_000

/** What a call sends over its connection: the request, and how the client is to read the answer. */
function sent(call: (connection: Connection) => void): unknown[] {
  const calls: [key: number, version: number, payload: () => Writer, ...reading: unknown[]][] = []
  const connection = { send: (...call: (typeof calls)[number]) => void calls.push(call) }
  call(connection as unknown as Connection)
  return calls.map(([key, version, payload, ...reading]) => [
    key,
    version,
    payload().buffer.toString('hex'),
    ...reading,
  ])
}

describe('batches of several partitions are sent as the client would send them', () => {
  for (const version of versions) {
    it(`Produce v${version.api.version}`, () => {
      const ours = places.flatMap((place) => produced(messages, place))
      const theirs: MessageRecord[] = ours.map(({ topic, partition, timestamp }, n) => {
        const message = messages[n % messages.length]
        assert.ok(message)
        const headers = encodeEvent(kafkaBinding, message, { topic, at: Number(timestamp) })
        const bytes = (text: string) => Buffer.from(text)
        return {
          topic,
          partition,
          timestamp,
          key: bytes(message.key),
          value: Buffer.from(message.body),
          headers: new Map(headers.map(([name, value]) => [bytes(name), bytes(value)])),
        }
      })
      const done = () => undefined
      const expected = sent((connection) => version.api(connection, acks, timeoutMs, theirs, options, done))
      assert.equal(expected.length, 1)
      assert.deepEqual(
        sent((connection) => encoding(version)(connection, acks, timeoutMs, ours, options, done)),
        expected,
      )
    })
  }
})
