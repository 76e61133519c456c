import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { openDatabase } from '@headrace/database'
import { testDatabase } from '@headrace/database/testing'
import { get, post, type TestPlatform, testPlatform } from './support/platform.ts'
import { dataMessage } from './support/protobuf.ts'

const protobuf = { 'content-type': 'application/x-protobuf' }

interface Bad {
  readonly what: string
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly status: number
  readonly code: string
  /** What the detail names. */
  readonly names?: RegExp
}

const invalid = { status: 400, code: 'invalid_request' } as const

const badMessages: readonly Bad[] = [
  {
    what: 'metadata that is no text under a key of two lines',
    body: { metadata: { 'a\nb': 5 } },
    ...invalid,
    names: /metadata/,
  },
  { what: 'half a JSON', body: '{"source":"s"', ...invalid },
  { what: 'nothing', body: '', ...invalid, names: /empty/ },
  { what: 'a number', body: '5', ...invalid, names: /got 5/ },
  { what: 'null', body: 'null', ...invalid },
  { what: 'an array', body: '[]', ...invalid },
  { what: 'a source that is no string', body: { source: 5 }, ...invalid, names: /source.*got 5/ },
  { what: 'data that is an object', body: { data: {} }, ...invalid, names: /data.*an object/ },
  { what: 'data that is null', body: { data: null }, ...invalid, names: /data.*null/ },
  { what: 'metadata that is no object', body: { metadata: [] }, ...invalid, names: /metadata/ },
  { what: 'metadata that holds a number', body: { metadata: { a: 1 } }, ...invalid, names: /metadata\.a.*got 1/ },
  { what: '64 KiB of nested brackets', body: '['.repeat(65_536), ...invalid },
  { what: 'deep nesting that is closed', body: `{"x":${'['.repeat(500)}${']'.repeat(500)}}`, ...invalid },
  { what: 'a NUL', body: '{"source":"a\\u0000b"}', ...invalid, names: /source.*NUL/ },
  { what: 'a lone surrogate', body: '{"data":"\\ud800"}', ...invalid, names: /data.*surrogate/ },
  { what: 'a __proto__ key', body: '{"metadata":{"__proto__":"x"}}', ...invalid, names: /__proto__/ },
  { what: 'bytes that are not UTF-8', body: Uint8Array.of(0x22, 0xff, 0x22), ...invalid, names: /UTF-8/ },
  {
    what: 'another content type',
    body: 'x',
    headers: { 'content-type': 'text/plain' },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'a gzip bomb',
    body: gzipSync(Buffer.alloc(50_000_000)),
    headers: { 'content-encoding': 'gzip' },
    status: 415,
    code: 'unsupported_media_type',
  },
  { what: 'more than the limit of a body', body: { data: 'x'.repeat(1_048_576) }, status: 413, code: 'body_too_large' },
  { what: 'a message over the limit', body: { data: 'x'.repeat(700_000) }, status: 413, code: 'message_too_large' },
  {
    what: 'bytes that are no protobuf',
    body: Uint8Array.of(255, 255),
    headers: protobuf,
    ...invalid,
    names: /DataMessage/,
  },
  {
    what: 'a NUL in protobuf',
    body: dataMessage({ source: 'a\0' }),
    headers: protobuf,
    ...invalid,
    names: /source.*NUL/,
  },
  {
    what: 'a message over the limit as JSON in protobuf',
    body: dataMessage({ payload: Buffer.alloc(700_000) }),
    headers: protobuf,
    status: 413,
    code: 'message_too_large',
  },
  {
    what: 'an empty Idempotency-Key',
    body: {},
    headers: { 'idempotency-key': '""' },
    ...invalid,
    names: /Idempotency-Key/,
  },
  {
    what: 'a long Idempotency-Key',
    body: {},
    headers: { 'idempotency-key': 'k'.repeat(300) },
    ...invalid,
    names: /Idempotency-Key/,
  },
]

const badEnqueues: readonly Bad[] = [
  {
    what: 'metadata that is no text under a key of two lines',
    body: { metadata: { 'a\nb': 5 } },
    ...invalid,
    names: /metadata/,
  },
  {
    what: 'one of a wrong type in an array',
    body: [{}, { source: 5 }],
    ...invalid,
    names: /^\[1\]\.source must be string, got 5$/,
  },
  { what: 'one that is no object in an array', body: [5], ...invalid, names: /^\[0\] must be object, got 5$/ },
  { what: 'more messages than one transaction takes', body: Array(10_001).fill({}), ...invalid, names: /10000/ },
  { what: 'a payload that is no base64', body: { payload: 'a*' }, ...invalid, names: /payload.*base64/ },
  { what: 'base64 without its padding', body: { payload: 'abc' }, ...invalid, names: /payload/ },
  { what: 'one bad message among good ones', body: [{}, { payload: '?' }], ...invalid, names: /\[1\]\.payload/ },
  { what: 'an id that is no string', body: { id: 7 }, ...invalid, names: /id/ },
  { what: 'an id that is too long', body: { id: 'i'.repeat(201) }, ...invalid, names: /id/ },
  { what: 'a timestamp that is no whole number', body: { timestamp: 1.5 }, ...invalid, names: /timestamp/ },
  { what: 'a timestamp that no queue carries', body: { timestamp: 1e300 }, ...invalid, names: /timestamp/ },
  { what: 'a text', body: '"x"', ...invalid },
  {
    what: 'one message over the limit among good ones',
    body: [{}, { payload: 'a'.repeat(940_000) }],
    status: 413,
    code: 'message_too_large',
  },
]

describe('bad input', { timeout: 240_000 }, () => {
  let running: TestPlatform
  let stack: AsyncDisposableStack
  let stored: () => Promise<number>
  before(async () => {
    stack = new AsyncDisposableStack()
    const database = stack.use(await testDatabase())
    const reading = stack.use(openDatabase({ url: database.url, maxConnections: 1 }))
    running = stack.use(await testPlatform({ env: { DATABASE_URL: database.url } }))
    stored = async () => {
      const { rows } = await reading.query<{ count: number }>({
        text: `select (select count(*) from headrace.log) + (select count(*) from headrace.idempotency_key) as count`,
      })
      return rows[0]?.count ?? Number.NaN
    }
  })
  after(() => stack.disposeAsync())

  async function assertRefused(url: string, { body, headers, status, code, names }: Bad): Promise<void> {
    const before = await stored()
    const answer = await post(url, body, headers)
    assert.equal(answer.status, status, JSON.stringify(answer.body))
    assert.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8')
    assert.equal(answer.body['code'], code)
    assert.equal(answer.body['error'], answer.body['detail'])
    if (names !== undefined) assert.match(String(answer.body['detail']), names)
    assert.doesNotMatch(JSON.stringify(answer.body), /node_modules|\.ts:|select |insert /)
    assert.equal(await stored(), before, 'something was stored')
  }

  for (const bad of badMessages) {
    it(`to ingest: ${bad.what} is ${bad.status} ${bad.code} and stores nothing`, () =>
      assertRefused(`${running.at('gateway')}/api/v1/ingest`, bad))
  }

  for (const bad of badEnqueues) {
    it(`to enqueue: ${bad.what} is ${bad.status} ${bad.code} and stores nothing`, () =>
      assertRefused(`${running.at('processor')}/enqueue`, bad))
  }

  it('a body that stops half way leaves nothing behind', async () => {
    const before = await stored()
    const { port } = new URL(running.at('ingest'))
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(
      'POST /ingest HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"sour',
    )
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.destroy()
    assert.equal((await get(`${running.at('ingest')}/health`)).status, 200)
    assert.equal(await stored(), before)
  })

  it('a source that no index could hold is a source like any other', async () => {
    const answer = await post(`${running.at('gateway')}/api/v1/ingest`, { source: 's'.repeat(100_000), data: 'x' })
    assert.equal(answer.status, 200)
  })

  it('serves nothing internal in public', async () => {
    for (const port of ['gateway', 'ingest']) {
      for (const path of ['/metrics', '/enqueue', '/internal/anything']) {
        assert.equal((await get(running.at(port) + path)).status, 404)
        assert.equal((await post(running.at(port) + path, {})).status, 404)
      }
    }
  })
})
