import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  decodeEvent,
  type EventBinding,
  encodeEvent,
  inBinaryMode,
  kafkaBinding,
  natsBinding,
  type OutgoingMessage,
} from '../src/index.ts'

const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
const fallback = { id: 'orders/3/17', type: 'orders', at: at + 1 }
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const plain: OutgoingMessage = { id: 'a-1', key: 'k', type: 'orders.placed', headers: {}, body: Buffer.from('{"a":1}') }

for (const [name, binding] of Object.entries({ kafka: kafkaBinding, nats: natsBinding })) {
  const encode = (message: OutgoingMessage) => encodeEvent(binding, message, { topic: 'orders', at })
  const decode = (headers: readonly (readonly [string, string])[]) => decodeEvent(binding, headers, fallback)
  const { prefix } = binding

  describe(`CloudEvents on ${name}`, () => {
    it('says what the specification asks for, and that JSON is JSON', () => {
      const headers = Object.fromEntries(encode({ ...plain, headers: { traceparent } }))
      assert.deepEqual(headers, {
        [`${prefix}specversion`]: '1.0',
        [`${prefix}id`]: 'a-1',
        [`${prefix}type`]: 'orders.placed',
        [`${prefix}source`]: '/headrace/orders',
        [`${prefix}time`]: '2026-01-02T03:04:05.678Z',
        ...(binding.keyAttribute && { [`${prefix}partitionkey`]: 'k' }),
        traceparent,
        'content-type': 'application/json',
        'headrace-implied': 'content-type',
      })
    })

    it('gives back what it was given, whatever the headers are called', () => {
      const headers = {
        traceparent,
        empty: '',
        signs: `"quoted" 'x' % %41 \\ {}`,
        name: 'Grüße, 日本, 🜁',
        'ce-id': '1',
        ce_id: '2',
        'ce-source': '/headrace/x',
        ce_time: 'x',
        ce_subject: 's',
        'headrace-origin': 'log/1/2',
        'headrace-implied': 'empty',
        'headrace-h-ce_id': '3',
        constructor: '4',
      }
      const place = { log: '018f-ab', partition: 3, offset: 9_007_199_254_740_000 }
      for (const own of [headers, { ...headers, 'content-type': 'text/plain' }, {}]) {
        const origin = own === headers ? { ...place, base: 17 } : place
        const message = { ...plain, id: 'ünïque 🜁 %', key: ' "ä', headers: own, origin, at: at - 1 }
        const { key, ...decoded } = decode(encode(message))
        assert.deepEqual(decoded, { id: message.id, type: plain.type, at: at - 1, headers: own, origin })
        assert.equal(key, binding.keyAttribute ? message.key : undefined)
      }
    })

    it('tells the time at which the carrier took a message that comes from no log', () => {
      assert.equal(decode(encode(plain)).at, fallback.at)
      assert.equal(decode(encode(plain)).origin, undefined)
    })

    it('does not call a body JSON that does not begin like it', () => {
      for (const body of ['', 'text', '\x00{']) {
        const names = encode({ ...plain, body: Buffer.from(body) }).map(([header]) => header)
        assert.ok(!names.includes('content-type'), body)
      }
    })

    it('gives a message of no trace one of its own, which its readers here do not see', () => {
      for (const id of ['01a1fe4f-c99b-7355-9576-a1edc3fbcfce', 'a-1']) {
        const headers = encode({ ...plain, id })
        const own = headers.find(([header]) => header === 'traceparent')?.[1] ?? ''
        assert.match(own, /^00-[\da-f]{32}-[\da-f]{16}-00$/)
        assert.deepEqual(encode({ ...plain, id }), headers)
        assert.deepEqual(decode(headers).headers, {})
      }
    })

    it('takes a message without headers for one of a foreign producer', () => {
      assert.deepEqual(decode([]), { ...fallback, headers: {} })
    })

    it('keeps of a foreign event what has no place in a message', () => {
      const decoded = decode([
        [`${prefix.toUpperCase()}ID`, 'f-1'],
        [`${prefix}type`, 'com.example.paid'],
        [`${prefix}source`, '/shop'],
        [`${prefix}subject`, 'first'],
        [`${prefix}subject`, 'last'],
        ['Content-Type', 'application/json'],
      ])
      const headers = { [`${prefix}source`]: '/shop', [`${prefix}subject`]: 'last', 'content-type': 'application/json' }
      assert.deepEqual(decoded, { id: 'f-1', type: 'com.example.paid', at: fallback.at, headers })
    })

    it('takes an origin that is none for none', () => {
      for (const text of ['', 'log/1', 'log/1/2/3', 'log/x/2', 'log/1/-2', 'log/1/99999999999999999999', '/1/2']) {
        assert.equal(decode([['headrace-origin', text]]).origin, undefined, text)
      }
    })
  })
}

it('percent-encodes attributes for NATS, and bears those that are not well encoded', () => {
  const [, id] = encodeEvent(natsBinding, { ...plain, id: 'a b"%ä' }, { topic: 'orders', at })
  assert.deepEqual(id, ['ce-id', 'a%20b%22%25%C3%A4'])
  assert.equal(decodeEvent(natsBinding, [['ce-id', '100%']], fallback).id, '100%')
})

describe('a foreign event in structured mode', () => {
  const type = 'application/cloudevents+json; charset=UTF-8'
  const event = { specversion: '1.0', id: 'e-1', type: 'orders.placed', source: '/shop', partitionkey: 'käse' }
  const read = (binding: EventBinding, headers: [string, string][], body: string) => {
    const carried = inBinaryMode(binding, { headers, body: Buffer.from(body) })
    return { ...decodeEvent(binding, carried.headers, fallback), body: Buffer.from(carried.body).toString() }
  }

  for (const binding of [kafkaBinding, natsBinding]) {
    it(`is read like one in binary mode (${binding.prefix})`, () => {
      const body = JSON.stringify({ ...event, data: { a: [1, 'ü'] } })
      const { id, type: named, key, headers, body: data } = read(binding, [['Content-Type', type]], body)
      assert.deepEqual([id, named, data], ['e-1', 'orders.placed', '{"a":[1,"ü"]}'])
      assert.equal(key, binding.keyAttribute ? 'käse' : undefined)
      assert.deepEqual(headers, { [`${binding.prefix}source`]: '/shop', 'content-type': 'application/json' })
    })
  }

  for (const [said, data, body] of [
    ['bytes', { data_base64: 'AP8=', datacontenttype: 'application/octet-stream' }, Buffer.from([0, 255]).toString()],
    ['text', { data: 'plain', datacontenttype: 'text/plain' }, 'plain'],
    ['a JSON string', { data: 'plain', datacontenttype: 'application/json' }, '"plain"'],
    ['nothing', {}, ''],
  ] as const) {
    it(`carries ${said}`, () => {
      assert.equal(read(kafkaBinding, [['content-type', type]], JSON.stringify({ ...event, ...data })).body, body)
    })
  }

  it('that is none, or a batch, or a message of ours with that type stays as it is', () => {
    const whole = JSON.stringify({ ...event, data: 1 })
    for (const [headers, body] of [
      [[['content-type', type]], '{"id":"7"}'],
      [[['content-type', type]], 'no JSON'],
      [[['content-type', 'application/cloudevents-batch+json']], `[${whole}]`],
      [
        [
          ['content-type', type],
          ['ce_specversion', '1.0'],
        ],
        whole,
      ],
    ] as [[string, string][], string][]) {
      assert.equal(read(kafkaBinding, headers, body).body, body)
    }
  })
})
