import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nullLogger } from '@headrace/runtime'
import { createHttpServer, isLoopback } from '../src/index.ts'
import { echoServer } from './test-server.ts'

describe('access', () => {
  it('a route without an access rule keeps the server from starting and is named', async () => {
    await using server = await echoServer()
    assert.throws(() => server.app.post('/forgotten', async () => 1), /route POST \/forgotten declares no access rule/)
    // @ts-expect-error no such rule
    assert.throws(() => server.app.get('/x', { config: { access: 'anyone' } }, async () => 1), /GET \/x declares no/)
  })

  it('a route added by a plugin needs its rule too', async () => {
    await using server = await echoServer({ docs: { title: 't', version: '1' } })
    server.app.register(async (scope) => void scope.get('/inner', async () => 1), { prefix: '/docsx' })
    await assert.rejects(async () => server.app.ready(), /route GET \/docsx\/inner declares no access rule/)
  })

  it('an internal route without a token is for this machine only', async () => {
    await using server = await echoServer()
    server.app.get('/internal/x', { config: { access: 'internal' } }, async () => ({ ok: true }))
    const from = async (remoteAddress: string) =>
      (await server.app.inject({ url: '/internal/x', remoteAddress })).statusCode
    assert.deepEqual([await from('127.0.0.1'), await from('::ffff:127.0.0.1'), await from('10.0.0.7')], [200, 200, 403])
  })

  it('an internal route with a token is for its bearers only', async () => {
    await using server = await echoServer({ internalToken: 't0ken' })
    server.app.get('/internal/x', { config: { access: 'internal' } }, async () => ({ ok: true }))
    const withHeader = (authorization?: string) =>
      server.app.inject({ url: '/internal/x', headers: authorization === undefined ? {} : { authorization } })
    assert.equal((await withHeader('Bearer t0ken')).statusCode, 200)
    for (const wrong of [undefined, 't0ken', 'Bearer t0kem', 'Bearer', '', 'Bearer t0ken2']) {
      const answer = await withHeader(wrong)
      assert.deepEqual([answer.statusCode, answer.headers['www-authenticate']], [401, 'Bearer'])
    }
  })

  it('a person route asks its guard before the body is read, and so does its HEAD', async () => {
    const callers = { required: true, byToken: () => undefined }
    await using server = await createHttpServer({ name: 't', logger: nullLogger, callers })
    server.app.post('/mine', { config: { access: 'person' } }, async () => 1)
    server.app.get('/mine', { config: { access: 'person' } }, async () => 1)
    server.app.get('/all', { config: { access: 'public' } }, async () => 'all')
    const headers = { 'content-type': 'application/json' }
    assert.equal((await server.app.inject({ method: 'POST', url: '/mine', payload: '{bad', headers })).statusCode, 401)
    assert.equal((await server.app.inject({ method: 'HEAD', url: '/mine' })).statusCode, 401)
    assert.equal((await server.app.inject('/all')).statusCode, 200)
  })

  it('knows the addresses of this machine', () => {
    for (const host of ['127.0.0.1', '127.3.2.1', '::1', '[::1]', 'localhost', '::ffff:127.0.0.1'])
      assert.ok(isLoopback(host), host)
    for (const host of [
      '0.0.0.0',
      '::',
      '10.0.0.1',
      'localhost.evil.com',
      '127.0.0.1.evil.com',
      '',
      undefined,
      '::ffff:10.0.0.1',
    ]) {
      assert.ok(!isLoopback(host), host)
    }
  })
})
