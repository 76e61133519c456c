import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it, type TestContext } from 'node:test'
import { type OutgoingMessage, PublishError } from '@headrace/transport'
import { Follower } from '@headrace/transport/suite'
import { kafkaTransport } from '@headrace/transport-kafka'
import { kMetadata, Producer } from '@platformatic/kafka'
import { testKafka } from '../../../tools/services/testing.ts'
import { BatchProducer } from '../src/batch-producer.ts'
import { type Administration, administer } from './support/kafka-harness.ts'

const body = '{"id":"7","source":"s","payload":"aGFsbG8="}'
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

function hasKcat(): boolean {
  try {
    execFileSync('kcat', ['-V'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const skip = hasKcat() || process.env['CI'] !== undefined ? false : 'kcat is not installed'

describe('other programs', () => {
  let address: string
  let other: Administration
  let producer: Producer<Buffer, Buffer, Buffer, Buffer>
  before(async () => {
    address = await testKafka()
    other = administer(address)
    producer = new Producer({ clientId: 'other', bootstrapBrokers: [address], idempotent: true, retries: 5 })
  })
  after(async () => {
    await producer.close()
    await other[Symbol.asyncDispose]()
  })
  const connect = () => kafkaTransport({ brokers: [address] })

  function kcat(...args: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      execFile('kcat', ['-b', address, '-q', ...args], (error, stdout) => (error ? reject(error) : resolve(stdout)))
    })
  }

  /** Writes what a shell would pipe into `kcat -P`. */
  function produce(lines: string, ...args: string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const child = execFile('kcat', ['-b', address, '-P', ...args], (error) => (error ? reject(error) : resolve()))
      child.stdin?.end(lines)
    })
  }

  it('kcat -C reads exactly the JSON, the key, and a CloudEvents event with its traceparent', { skip }, async () => {
    const topic = `orders-${randomUUID()}`
    await using carrier = connect()
    const message: OutgoingMessage = {
      id: 'm-1',
      key: 'käse',
      type: 'orders.placed',
      headers: { traceparent },
      body: Buffer.from(body),
    }
    await carrier.publish(topic, 3, [message])
    const read = JSON.parse(await kcat('-C', '-t', topic, '-p', '3', '-o', 'beginning', '-e', '-J'))
    assert.deepEqual([read.payload, read.key], [body, 'käse'])
    const headers = Object.fromEntries(
      read.headers.flatMap((name: string, at: number) => (at % 2 === 0 ? [[name, read.headers[at + 1]]] : [])),
    )
    assert.deepEqual(
      [
        headers.ce_specversion,
        headers.ce_id,
        headers.ce_type,
        headers.ce_source,
        headers.traceparent,
        headers['content-type'],
      ],
      ['1.0', 'm-1', 'orders.placed', `/headrace/${topic}`, traceparent, 'application/json'],
    )
    assert.ok(Math.abs(Date.parse(headers.ce_time) - Date.now()) < 60_000, headers.ce_time)
  })

  it('what kcat -P writes is read in order with ours, under ids that stay', { skip }, async () => {
    const topic = `foreign-${randomUUID()}`
    await using carrier = connect()
    await carrier.partitions(topic)
    await produce(`${body}\n`, '-t', topic, '-p', '5')
    await carrier.publish(topic, 5, [{ id: 'own', key: 'k', type: 't', headers: {}, body: Buffer.from('{}') }])
    await produce(
      'key1:value\n',
      '-t',
      topic,
      '-p',
      '5',
      '-K',
      ':',
      '-z',
      'gzip',
      '-H',
      'ce_id=theirs',
      '-H',
      'X-Name=n',
    )
    const [, incarnation] = [topic, await carrier.incarnationOf?.(topic)]
    for (let round = 0; round < 2; round += 1) {
      await using follower = new Follower(carrier, topic, 5)
      await follower.until('all three', () => follower.ids.length === 3)
      const [first, second, third] = follower.messages
      assert.equal(first?.id, `kafka-${topic}-${incarnation?.slice(0, 8)}-5-0`)
      assert.deepEqual([first?.key, first?.type, first?.origin], [first?.id, topic, undefined])
      assert.equal(Buffer.from(first?.body ?? []).toString(), body)
      assert.equal(second?.id, 'own')
      assert.deepEqual([third?.id, third?.key, { ...third?.headers }], ['theirs', 'key1', { 'x-name': 'n' }])
      assert.equal(Buffer.from(third?.body ?? []).toString(), 'value')
    }
  })

  it('records without key, value or headers are messages, and events in structured mode are unwrapped', async () => {
    const topic = `bare-${randomUUID()}`
    await using carrier = connect()
    await carrier.partitions(topic)
    await producer.send({ messages: [{ topic, partition: 0, key: Buffer.from('k') }] })
    await producer.send({
      messages: [
        { topic, partition: 0, value: Buffer.from('v'), headers: new Map([[Buffer.from('A'), Buffer.from('ä')]]) },
      ],
    })
    const event = JSON.stringify({ specversion: '1.0', id: 'e', type: 'placed', source: '/s', data: { a: 1 } })
    const structured = new Map([[Buffer.from('content-type'), Buffer.from('application/cloudevents+json')]])
    await producer.send({ messages: [{ topic, partition: 0, value: Buffer.from(event), headers: structured }] })
    await using follower = new Follower(carrier, topic, 0)
    await follower.until('all three', () => follower.ids.length === 3)
    const [tombstone, keyless, unwrapped] = follower.messages
    assert.deepEqual([unwrapped?.id, unwrapped?.type], ['e', 'placed'])
    assert.equal(Buffer.from(unwrapped?.body ?? []).toString(), '{"a":1}')
    assert.deepEqual([tombstone?.key, tombstone?.body.byteLength], ['k', 0])
    assert.deepEqual([keyless?.key, { ...keyless?.headers }], [keyless?.id, { a: 'ä' }])
  })

  it('what a transaction took back is passed over, and its marks leave holes that hold nothing up', async () => {
    const topic = `transactions-${randomUUID()}`
    await using carrier = connect()
    await carrier.partitions(topic)
    const options = { clientId: 'other', bootstrapBrokers: [address], idempotent: true, transactionalId: topic }
    const transacting = new Producer<Buffer, Buffer, Buffer, Buffer>({ ...options, retries: 5 })
    const send = (text: string) => ({ messages: [{ topic, partition: 0, value: Buffer.from(text) }] })
    for (const [text, end] of [
      ['lost', 'abort'],
      ['kept', 'commit'],
      ['lost, too', 'abort'],
    ] as const) {
      const transaction = await transacting.beginTransaction()
      await transaction.send(send(text))
      await transaction[end]()
    }
    await transacting.close()
    await using follower = new Follower(carrier, topic, 0)
    await follower.until('what was committed', () => follower.ids.length === 1)
    await carrier.publish(topic, 0, [{ id: 'own', key: 'k', type: 't', headers: {}, body: Buffer.from('{}') }])
    await follower.until('ours', () => follower.ids.length === 2)
    assert.deepEqual(
      follower.messages.map((message) => Buffer.from(message.body).toString()),
      ['kept', '{}'],
    )
  })

  it('a topic that others made keeps its number of partitions and its limits: what it does not take is refused', async () => {
    const topic = `theirs-${randomUUID()}`
    const configs = [{ name: 'max.message.bytes', value: '2000' }]
    await other.admin.createTopics({ topics: [topic], partitions: 3, replicas: 1, configs })
    await using carrier = connect()
    assert.equal(await carrier.partitions(topic), 3)
    const message = { key: 'k', type: 't', headers: {} }
    const sized = (id: string, bytes: number) => ({ ...message, id, body: Buffer.alloc(bytes) })
    await carrier.publish(topic, 2, [sized('fits', 1_000)])
    const refused = await carrier.publish(topic, 2, [sized('large', 3_000)]).catch((error: unknown) => error)
    assert.ok(refused instanceof PublishError, String(refused))
    assert.deepEqual([refused.outcome, refused.code], ['refused', 'MESSAGE_TOO_LARGE'])
    await carrier.publish(topic, 2, [sized('fits, too', 1_000)])
    await using follower = new Follower(carrier, topic, 2)
    await follower.until('what fits', () => follower.ids.length === 2)
    assert.deepEqual(follower.ids, ['fits', 'fits, too'])
    // What is published in one turn shares a request; what the broker refuses of it holds up no other partition.
    const together = await Promise.allSettled([
      carrier.publish(topic, 0, [sized('beside', 1_000)]),
      carrier.publish(topic, 1, [sized('large', 3_000)]),
    ])
    assert.equal(together[0].status, 'fulfilled')
    assert.ok(together[1].status === 'rejected' && together[1].reason.code === 'MESSAGE_TOO_LARGE')
    await using beside = new Follower(carrier, topic, 0)
    await carrier.publish(topic, 0, [sized('behind', 1)])
    await beside.until('what was beside it, and one more', () => beside.ids.includes('behind'))
    assert.deepEqual(
      beside.messages.map(({ id }) => id),
      ['beside', 'behind'],
    )
    const nowhere = await carrier.publish(topic, 3, [sized('x', 1)]).catch((error: unknown) => error)
    assert.ok(nowhere instanceof PublishError && nowhere.outcome === 'refused', String(nowhere))
  })

  /** Has what our producers ask for metadata after so many times wait until it is let go; tells when those are over. */
  function holdMetadata(context: TestContext, behind: number) {
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
    const { promise: going, resolve: letGo } = Promise.withResolvers<void>()
    const clients: BatchProducer = Object.getPrototypeOf(Producer.prototype)
    const ask = clients[kMetadata]
    let asked = 0
    clients[kMetadata] = function (this: BatchProducer, ...request) {
      const isOurs = this instanceof BatchProducer
      if (isOurs) asked += 1
      if (asked === behind) reach()
      if (isOurs && asked === behind + 1) void going.then(() => ask.apply(this, request))
      else ask.apply(this, request)
    }
    context.after(() => {
      clients[kMetadata] = ask
    })
    return { reached, letGo }
  }

  it('what waits while the broker refuses something else is confirmed only if it was written', async (context) => {
    const topic = `refused-${randomUUID()}`
    const configs = [{ name: 'max.message.bytes', value: '2000' }]
    await other.admin.createTopics({ topics: [topic], partitions: 2, replicas: 1, configs })
    await using carrier = connect()
    const sized = (id: string, bytes: number) => [{ key: 'k', type: 't', headers: {}, id, body: Buffer.alloc(bytes) }]
    await carrier.publish(topic, 0, sized('first', 1))
    // For where the request goes and for the request itself.
    const { reached, letGo } = holdMetadata(context, 2)
    const refused = carrier.publish(topic, 1, sized('large', 3_000)).catch((error: unknown) => error)
    await reached
    const waiting = carrier.publish(topic, 0, sized('second', 1)).catch((error: unknown) => error)
    assert.ok((await refused) instanceof PublishError)
    letGo()
    const failure = await waiting
    assert.ok(failure === undefined || failure instanceof PublishError, String(failure))
    const { first, end } = await carrier.held(topic, 0)
    assert.equal(end - first, failure === undefined ? 2 : 1, 'what was confirmed is not held')
    await carrier.publish(topic, 0, sized('third', 1))
  })

  it('more copies than there are brokers are refused by a message that says so', async () => {
    await using carrier = kafkaTransport({ brokers: [address], replicationFactor: 3 })
    await assert.rejects(carrier.partitions(`copies-${randomUUID()}`), /cannot have 3 copies: the cluster has fewer/)
  })

  it('more than a request holds is published in order, and in one piece for the caller', async () => {
    const topic = `large-${randomUUID()}`
    await using carrier = connect()
    const messages = Array.from({ length: 12 }, (_, at) => ({
      id: `m${at}`,
      key: 'k',
      type: 't',
      headers: {},
      body: Buffer.alloc(300_000, at),
    }))
    await carrier.publish(topic, 1, messages)
    await using follower = new Follower(carrier, topic, 1)
    await follower.until('all', () => follower.ids.length === 12)
    assert.deepEqual(
      follower.ids,
      messages.map(({ id }) => id),
    )
  })

  it('what a group has passed is told to the brokers, as Kafka counts it', async () => {
    const topic = `passed-${randomUUID()}`
    const group = `group-${randomUUID()}`
    const carrier = connect()
    const message = { key: 'k', type: 't', headers: {}, body: Buffer.from('x') }
    await carrier.publish(
      topic,
      4,
      [1, 2, 3].map((number) => ({ ...message, id: `m${number}` })),
    )
    const incarnation = (await carrier.incarnationOf?.(topic)) ?? ''
    const second = 2
    carrier.passed?.(group, topic, 4, { incarnation, number: second + 1 })
    carrier.passed?.(group, topic, 5, { incarnation: 'of another topic', number: 9 })
    await carrier.stop()
    const [told] = await other.admin.listConsumerGroupOffsets({ groups: [group] })
    const partitions = told?.topics[0]?.partitions.map(({ partitionIndex, committedOffset }) => [
      partitionIndex,
      committedOffset,
    ])
    assert.deepEqual(partitions, [[4, 2n]])
  })
})
