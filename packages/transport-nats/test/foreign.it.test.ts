import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { PublishError } from '@headrace/transport'
import { Follower } from '@headrace/transport/suite'
import { natsTransport } from '@headrace/transport-nats'
import { headers as natsHeaders } from '@nats-io/transport-node'
import { testNats } from '../../../tools/services/testing.ts'
import { type Administration, administer } from './support/administration.ts'

const body = { id: '7', source: 's', payload: 'aGFsbG8=' }
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

describe('other programs', () => {
  let address: string
  let other: Administration
  before(async () => {
    address = await testNats()
    other = await administer(address)
  })
  after(() => other[Symbol.asyncDispose]())
  const connect = () => natsTransport({ servers: [address] })

  it('a plain subscriber gets exactly the JSON, as a CloudEvents event', async () => {
    const topic = `orders.${randomUUID()}`
    const subscription = other.connection.subscribe(`${topic}.p.*`, { max: 1 })
    await other.connection.flush()
    await using carrier = connect()
    const message = { id: 'm-1', key: 'käse', type: 'orders.placed', headers: { traceparent } }
    await carrier.publish(topic, 3, [{ ...message, body: Buffer.from(JSON.stringify(body)) }])
    for await (const { subject, data, headers } of subscription) {
      assert.equal(subject, `${topic}.p.3`)
      assert.equal(Buffer.from(data).toString(), JSON.stringify(body))
      const told = Object.fromEntries([...(headers ?? [])].map(([name, [value]]) => [name, value]))
      assert.equal(told['ce-id'], 'm-1')
      assert.equal(told['ce-type'], 'orders.placed')
      assert.equal(told['ce-specversion'], '1.0')
      assert.equal(told['ce-partitionkey'], 'k%C3%A4se')
      assert.equal(told['content-type'], 'application/json')
      assert.equal(told.traceparent, traceparent)
    }
    assert.equal((await other.manager.streams.info(topic.replaceAll('.', '_'))).config.discard, 'new')
  })

  it('what plain publishers write to the topic is read with partition 0, in order with ours, under ids that stay', async () => {
    const topic = `foreign.${randomUUID()}`
    await using carrier = connect()
    await carrier.held(topic, 0)
    const own = { key: 'k', type: 't', headers: {}, body: Buffer.from('{}') }
    other.connection.publish(topic, JSON.stringify(body))
    await other.connection.flush()
    await carrier.publish(topic, 0, [{ ...own, id: 'own' }])
    await other.manager.jetstream().publish(topic, 'bytes', { msgID: 'theirs' })
    const structured = natsHeaders()
    structured.set('Content-Type', 'application/cloudevents+json')
    const event = { specversion: '1.0', id: 'e', type: 'placed', source: '/s', partitionkey: 'p', data: body }
    await other.manager.jetstream().publish(topic, JSON.stringify(event), { headers: structured })
    for (let round = 0; round < 2; round += 1) {
      await using follower = new Follower(carrier, topic, 0)
      await follower.until('all four', () => follower.ids.length === 4)
      const [first, second, third, unwrapped] = follower.messages
      assert.deepEqual([unwrapped?.id, unwrapped?.type, unwrapped?.key], ['e', 'placed', 'p'])
      assert.equal(Buffer.from(unwrapped?.body ?? []).toString(), JSON.stringify(body))
      assert.match(first?.id ?? '', new RegExp(`^nats-${topic}-\\d+-1$`))
      assert.equal(first?.key, first?.id)
      assert.equal(Buffer.from(first?.body ?? []).toString(), JSON.stringify(body))
      assert.deepEqual([second?.id, third?.id, third?.origin], ['own', 'theirs', undefined])
    }
  })

  it('a stream that others made is used as it is, and given what it lacks', async () => {
    const topic = `theirs-${randomUUID()}`
    await other.manager.streams.add({ name: topic, subjects: [topic], max_msgs: 5, discard: 'new' })
    await using carrier = connect()
    const message = { key: 'k', type: 't', headers: {}, body: Buffer.from('x') }
    const numbered = Array.from({ length: 10 }, (_, at) => ({ ...message, id: `m${at}` }))
    await carrier.publish(topic, 1, numbered.slice(0, 3))
    const { config } = await other.manager.streams.info(topic)
    assert.deepEqual([config.subjects, config.max_msgs], [[topic, `${topic}.p.*`], 5])
    const partly = await carrier.publish(topic, 1, numbered.slice(3)).catch((error: unknown) => error)
    assert.ok(partly instanceof PublishError && partly.outcome === 'unknown', String(partly))
    const full = await carrier.publish(topic, 1, numbered.slice(5)).catch((error: unknown) => error)
    assert.ok(full instanceof PublishError && full.code === 'QUEUE_FULL', String(full))
    await using follower = new Follower(carrier, topic, 1)
    await follower.until('what fits', () => follower.ids.length === 5)
    assert.deepEqual(follower.ids, ['m0', 'm1', 'm2', 'm3', 'm4'])
  })

  it('a message that the server is set not to take is refused as too large', async () => {
    const topic = `small-${randomUUID()}`
    await other.manager.streams.add({ name: topic, subjects: [topic], max_msg_size: 2_000 })
    await using carrier = connect()
    const large = { id: 'l', key: 'k', type: 't', headers: {}, body: Buffer.alloc(2_000) }
    const refused = await carrier.publish(topic, 1, [large]).catch((error: unknown) => error)
    assert.ok(refused instanceof PublishError && refused.code === 'MESSAGE_TOO_LARGE', String(refused))
    const umlauts = { ...large, body: Buffer.alloc(0), headers: { 'x-name': 'ä'.repeat(400_000) } }
    const wide = await carrier
      .publish(topic, 1, [{ ...umlauts, id: 'ä'.repeat(300_000) }])
      .catch((error: unknown) => error)
    assert.ok(wide instanceof PublishError && wide.code === 'MESSAGE_TOO_LARGE', String(wide))
    await assert.rejects(carrier.partitions('a topic'), /cannot be a subject/)
  })
})
