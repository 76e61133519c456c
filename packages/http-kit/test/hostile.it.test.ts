import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { HttpServer } from '../src/index.ts'
import { post, rawSocket } from './raw-socket.ts'
import { echoServer } from './test-server.ts'
import { until } from './until.ts'

describe('hostile clients', () => {
  let server: HttpServer
  let port = 0

  before(async () => {
    server = await echoServer({ limits: { requestMs: 300, headersMs: 200, connections: 50 } })
    port = (await server.listen({ port: 0, variable: 'API_PORT' })).port
  })
  after(() => server.stop())

  async function answerTo(text: string | Buffer): Promise<string> {
    using raw = await rawSocket(port)
    raw.send(text)
    return await raw.untilClosed()
  }

  it('what is not HTTP is answered with a problem and the connection closed', async () => {
    for (const text of [
      'hello\r\n\r\n',
      Buffer.from([0x16, 3, 1, 2, 0]),
      'GET / HTTP/9.9\r\n\r\n',
      'GET /\u0001 HTTP/1.1\r\nhost: x\r\n\r\n',
    ]) {
      const answer = await answerTo(text)
      assert.match(answer, /^HTTP\/1\.1 400 .*"code":"invalid_request"/s)
      assert.match(answer, /content-type: application\/problem\+json/)
    }
  })

  it('two lengths, or a length and chunks, are refused', async () => {
    const head = 'POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
    for (const lengths of [
      'content-length: 5\r\ncontent-length: 6',
      'content-length: 5\r\ntransfer-encoding: chunked',
      'content-length: -1',
    ]) {
      assert.match(await answerTo(`${head}${lengths}\r\n\r\n{"a":1}`), /^HTTP\/1\.1 400 /)
    }
  })

  it('headers over 16 KiB are 431', async () => {
    const answer = await answerTo(`GET /health HTTP/1.1\r\nhost: x\r\nx-big: ${'x'.repeat(20_000)}\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 431 .*"code":"headers_too_large"/s)
  })

  it('a half-sent body is 408 after its time, and the process serves on', async () => {
    using raw = await rawSocket(port)
    raw.send('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"data":')
    assert.match(await raw.untilClosed(), /^HTTP\/1\.1 408 .*"code":"request_timeout"/s)
    assert.match(await answerTo('GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'), /^HTTP\/1\.1 200/)
  })

  it('headers that never end are 408 after their time', async () => {
    using raw = await rawSocket(port)
    raw.send('GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ')
    const drip = setInterval(() => raw.send('x'), 50)
    const answer = await raw.untilClosed().finally(() => clearInterval(drip))
    assert.match(answer, /^HTTP\/1\.1 408 /)
  })

  it('a body that is announced too long is 413 before it is sent', async () => {
    const text =
      'POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9999999999\r\n\r\n'
    assert.match(await answerTo(text), /^HTTP\/1\.1 413 .*connection: close.*"code":"body_too_large"/is)
  })

  it('chunks without end are 413 at the limit', async () => {
    using raw = await rawSocket(port)
    raw.send(
      'POST /anything HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
    )
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    for (let index = 0; index < 20; index++) raw.send(chunk)
    assert.match(await raw.until('body_too_large'), /^HTTP\/1\.1 413 /)
  })

  it('64 KiB of brackets are 400', async () => {
    using raw = await rawSocket(port)
    raw.send(post('/anything', `${'['.repeat(32_768)}${']'.repeat(32_768)}`))
    assert.match(await raw.until('"error"'), /^HTTP\/1\.1 400 .*nested deeper/s)
  })

  it('a client that reads nothing is cut off', async () => {
    await using small = await echoServer({ limits: { idleMs: 200 } })
    small.app.get('/large', { config: { access: 'public' } }, async () => Buffer.alloc(50_000_000))
    using raw = await rawSocket((await small.listen({ port: 0, variable: 'API_PORT' })).port)
    raw.socket.pause()
    raw.send('GET /large HTTP/1.1\r\nhost: x\r\n\r\n')
    await until(() => small.connections === 1, 'the connection')
    await until(() => small.connections === 0, 'the server to close it')
  })

  it('a client that leaves amid its body leaves nothing behind', async () => {
    for (let index = 0; index < 10; index++) {
      using raw = await rawSocket(port)
      raw.send('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"da')
    }
    await until(() => server.connections === 0, 'all connections to be gone')
  })

  it('connections beyond the limit are closed', async () => {
    const raws = await Promise.all(Array.from({ length: 50 }, () => rawSocket(port)))
    try {
      await until(() => server.connections === 50, '50 connections')
      using extra = await rawSocket(port)
      extra.send('GET /health HTTP/1.1\r\nhost: x\r\n\r\n')
      assert.equal(await extra.untilClosed(), '')
    } finally {
      for (const raw of raws) raw[Symbol.dispose]()
    }
    await until(() => server.connections === 0, 'all connections to be gone')
  })
})
