import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HttpServerOptions } from '../src/index.ts'
import { echoServer } from './test-server.ts'

async function listening(options: Partial<HttpServerOptions> = {}, host = '127.0.0.1') {
  const server = await echoServer(options)
  await server.listen({ port: 0, variable: 'API_PORT', host })
  return server
}

const allowed = 'access-control-allow-origin'

describe('CORS', () => {
  it('by default any origin on this machine may read, while we listen on loopback', async () => {
    await using server = await listening()
    for (const origin of ['http://localhost:3000', 'http://127.0.0.1', 'http://[::1]:5173']) {
      const answer = await server.app.inject({ url: '/health', headers: { origin } })
      assert.equal(answer.headers[allowed], origin)
      assert.equal(answer.headers.vary, 'origin')
    }
    for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example', 'file://', '']) {
      assert.equal(
        (await server.app.inject({ url: '/health', headers: { origin } })).headers[allowed],
        undefined,
        origin,
      )
    }
  })

  it('by default nobody else may once we listen to the world', async () => {
    await using server = await listening({ callers: { required: true, byToken: () => undefined } }, '0.0.0.0')
    const answer = await server.app.inject({ url: '/health', headers: { origin: 'http://localhost:3000' } })
    assert.equal(answer.headers[allowed], undefined)
  })

  it('listed origins may, others may not; an error can be read too', async () => {
    await using server = await listening({ corsOrigins: ['https://app.example'] })
    const from = async (origin: string) =>
      (await server.app.inject({ url: '/nothing', headers: { origin } })).headers[allowed]
    assert.equal(await from('https://app.example'), 'https://app.example')
    assert.equal(await from('http://localhost:3000'), undefined)
  })

  it('a preflight is answered on every route, also on one that needs a token', async () => {
    await using server = await echoServer({ callers: { required: true, byToken: () => assert.fail('asked') } })
    server.app.all('/mine', { config: { access: 'person' } }, async () => assert.fail('reached'))
    await server.listen({ port: 0, variable: 'API_PORT' })
    for (const url of ['/echo', '/items/7', '/mine', '/nothing/at/all']) {
      const headers = { origin: 'http://localhost:3000', 'access-control-request-method': 'POST' }
      const answer = await server.app.inject({ method: 'OPTIONS', url, headers })
      assert.equal(answer.statusCode, 204)
      assert.match(String(answer.headers['access-control-allow-methods']), /POST/)
      assert.match(
        String(answer.headers['access-control-allow-headers']),
        /idempotency-key, if-none-match, last-event-id, prefer,/,
      )
      assert.equal(answer.headers['content-type'], undefined)
    }
    const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
    const evil = await server.app.inject({ method: 'OPTIONS', url: '/echo', headers })
    assert.equal(evil.headers['access-control-allow-methods'], undefined)
    assert.equal((await server.app.inject({ method: 'OPTIONS', url: '/echo' })).statusCode, 405, 'no preflight')
  })
})
