import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type KafkaTransportOptions, kafkaTransport } from '@headrace/transport-kafka'

it('an option that cannot be is said by its name and value', () => {
  const brokers = ['localhost:9092']
  const wrong: readonly (readonly [KafkaTransportOptions, RegExp])[] = [
    [{ brokers: [] }, /^RangeError: brokers: at least one/],
    [{ brokers: ['localhost'] }, /^RangeError: brokers: 'localhost' is no host:port/],
    [{ brokers: ['a:1', 'kafka://b:2'] }, /^RangeError: brokers: 'kafka:\/\/b:2'/],
    [{ brokers, replicationFactor: 0 }, /^RangeError: replicationFactor: 0/],
    [{ brokers, retentionMs: 0 }, /^RangeError: retentionMs: 0/],
    [{ brokers, publishDeadlineMs: 1.5 }, /^RangeError: publishDeadlineMs: 1\.5/],
    [{ brokers, requestTimeoutMs: -1 }, /^RangeError: requestTimeoutMs: -1/],
  ]
  for (const [options, error] of wrong) assert.throws(() => kafkaTransport(options), error)
})

it('addresses of all kinds are taken, and durability is what the copies survive', async () => {
  await using one = kafkaTransport({ brokers: ['[::1]:9092', '10.0.0.1:9092', 'kafka-1.example.com:29092'] })
  await using three = kafkaTransport({ brokers: ['a:1'], replicationFactor: 3, retentionMs: -1 })
  assert.deepEqual([one.durability, three.durability], ['disk', 'replicated'])
})
