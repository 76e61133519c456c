import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode } from '@headrace/runtime'
import { type Message, messageBytes } from '@headrace/transport'
import type { DataMessage } from '../src/domain/data-message.ts'
import { decodeBody } from '../src/wire/queue-body.ts'
import { queueMessages } from '../src/wire/queue-message.ts'

const message: DataMessage = {
  id: '01a1fe25-169f-731c-8708-1f24c61f82d6',
  timestamp: 1_780_000_000,
  source: 'sensor "1"\n',
  payload: Uint8Array.of(0, 1, 254, 255),
  metadata: { unit: '°C', __proto: 'x' },
}

const limitBytes = 921_600
const json = queueMessages({ encoding: 'json', limitBytes })
const protobuf = queueMessages({ encoding: 'protobuf', limitBytes })

function bare(body: string | Uint8Array, headers: Record<string, string> = {}): Message {
  return { id: 'carrier-id', key: '', type: '', headers, body: Buffer.from(body) }
}

describe('a message on the queue', () => {
  for (const [encoding, make] of [
    ['json', json],
    ['protobuf', protobuf],
  ] as const) {
    it(`comes back from ${encoding} as it was`, () => {
      const { payload, ...rest } = decodeBody(make(message))
      assert.deepEqual({ ...rest, payload: [...payload] }, { ...message, payload: [...message.payload] })
    })
  }

  it('says in its headers only what cannot be told from the rest', () => {
    assert.deepEqual(json(message).headers, {})
    assert.deepEqual(protobuf(message).headers, { 'content-type': 'application/x-protobuf' })
    assert.equal(json(message).type, 'diplom.v1.DataMessage')
    assert.equal(json(message).id, message.id)
  })

  it('is in JSON what the contract shows', () => {
    const written: unknown = JSON.parse(Buffer.from(json(message).body).toString())
    const { id, timestamp, source, metadata } = message
    assert.deepEqual(written, { id, timestamp, source, payload: 'AAH+/w==', metadata })
  })

  it('continues the trace of its request', () => {
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    assert.deepEqual(json(message, { traceparent: trace }).headers, { traceparent: trace })
  })

  it('says whose it is where a token came with it', () => {
    const owner = '01a1fe70-0000-7000-8000-000000000001'
    assert.deepEqual(json(message, { owner }).headers, { owner })
    assert.deepEqual(json(message, { traceparent: undefined, owner: undefined }).headers, {})
  })

  it('is refused beyond the limit, counted as JSON whatever the encoding', () => {
    const room = limitBytes - messageBytes(json({ ...message, payload: new Uint8Array(0) }))
    const largest = { ...message, payload: Buffer.alloc(Math.floor(room / 4) * 3) }
    const oneMore = { ...message, payload: Buffer.alloc(Math.floor(room / 4) * 3 + 3) }
    for (const make of [json, protobuf]) {
      make(largest)
      assert.throws(
        () => make(oneMore),
        (error) => hasCode(error, 'MESSAGE_TOO_LARGE'),
      )
    }
  })

  it('from a foreign producer may leave everything out, and gets the carrier’s id', () => {
    const { payload, ...rest } = decodeBody(bare('{}'))
    assert.deepEqual(
      { ...rest, bytes: payload.byteLength },
      { id: 'carrier-id', timestamp: 0, source: '', metadata: {}, bytes: 0 },
    )
  })

  it('is JSON unless its content type says protobuf', () => {
    assert.equal(decodeBody(bare('{"id":"x"}', { 'content-type': 'text/plain' })).id, 'x')
  })

  const broken: readonly (readonly [string, Message])[] = [
    ['no JSON', bare('{')],
    ['an array', bare('[]')],
    ['null', bare('null')],
    ['a number as id', bare('{"id":1}')],
    ['a payload that is no base64', bare('{"payload":"*"}')],
    ['a timestamp that is no whole number', bare('{"timestamp":1.5}')],
    ['metadata that is no object of strings', bare('{"metadata":{"a":1}}')],
    ['bytes that are no protobuf', bare(Uint8Array.of(255, 255, 255), { 'content-type': 'application/x-protobuf' })],
    ['nothing', bare('')],
  ]
  for (const [what, made] of broken) {
    it(`with ${what} for a body can never be read`, () => {
      assert.throws(() => decodeBody(made), TypeError)
    })
  }
})
