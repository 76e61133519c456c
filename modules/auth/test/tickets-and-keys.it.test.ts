import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ed25519Keys, generatePrivateKey } from '@headrace/tokens'
import { createLocalJWKSet, type JWK, jwtVerify } from 'jose'
import { ann, bearer, bob, registered, type TestAuth, testAuth } from './support/auth.ts'

async function ticketFor(auth: TestAuth, access: string, route = '/things/stream'): Promise<string> {
  const { status, body } = await auth.post('/api/v1/stream-ticket', { route }, { headers: bearer(access) })
  assert.deepEqual([status, body['expires_in']], [201, 60])
  return String(body['ticket'])
}

describe('a stream ticket', () => {
  it('opens its stream as its person, on any replica, again and again', async () => {
    await using auth = await testAuth()
    await using replica = await testAuth({ url: auth.station.url })
    await registered(auth, bob)
    const { access, id } = await registered(auth)
    const ticket = await ticketFor(auth, access)
    for (const each of [auth, replica, auth]) {
      const { status, body } = await each.get(`/things/stream?ticket=${ticket}`)
      assert.deepEqual([status, body['id']], [200, id])
    }
  })

  it('is for one route: no other stream, no other route, not the account', async () => {
    await using auth = await testAuth()
    const { access } = await registered(auth)
    const ticket = await ticketFor(auth, access)
    for (const path of ['/other/stream', '/things/7', '/api/v1/me']) {
      assert.equal((await auth.get(`${path}?ticket=${ticket}`)).status, 401, path)
    }
    assert.equal((await auth.get('/things/stream', ticket)).status, 401, 'it is no access token')
    assert.equal((await auth.get(`/things/stream?ticket=${access}`)).status, 401, 'nor the other way round')
    assert.equal((await auth.get(`/things/stream?ticket=${ticket}`)).status, 200)
  })

  it('needs a token and a route that is a stream', async () => {
    await using auth = await testAuth()
    const { access } = await registered(auth)
    assert.equal((await auth.post('/api/v1/stream-ticket', { route: '/things/stream' })).status, 401)
    for (const route of ['/things/7', '/things/stream/', '/things/stream?x=1', '']) {
      const { status, body } = await auth.post('/api/v1/stream-ticket', { route }, { headers: bearer(access) })
      assert.equal(status, 400, route)
      assert.match(String(body['detail']), /expected \/things\/stream, \/other\/stream/)
    }
    assert.equal((await auth.post('/api/v1/stream-ticket', {}, { headers: bearer(access) })).status, 400)
  })
})

describe('introspection', () => {
  it('says what a good token says, and of any other only that it is not active', async () => {
    await using auth = await testAuth()
    const { access, id } = await registered(auth)
    const { body, headers } = await auth.introspect(`token=${access}&token_type_hint=access_token`)
    assert.deepEqual([body['active'], body['sub'], body['token_type']], [true, String(id), 'bearer'])
    assert.equal(headers['cache-control'], 'no-store')
    for (const token of ['', 'x', `${access}x`])
      assert.deepEqual((await auth.introspect(`token=${token}`)).body, { active: false })
    assert.equal((await auth.introspect('')).status, 400)
    const byJson = { method: 'POST', url: '/internal/introspect', payload: { token: access } } as const
    assert.equal((await auth.internal.app.inject(byJson)).json().active, true)
  })

  it('is not on the public port, and for this machine only', async () => {
    await using auth = await testAuth()
    assert.equal((await auth.post('/internal/introspect', { token: 'x' })).status, 404)
    const request = {
      method: 'POST',
      url: '/internal/introspect',
      payload: { token: 'x' },
      remoteAddress: '10.0.0.7',
    } as const
    assert.equal((await auth.internal.app.inject(request)).statusCode, 403)
  })
})

describe('keys', () => {
  it('are published when there are any to publish, and verify what is issued', async () => {
    const keys = ed25519Keys({ variable: 'JWT_PRIVATE_KEY', value: generatePrivateKey() })
    await using auth = await testAuth({ keys })
    const { access } = await registered(auth)
    const { status, body } = await auth.get('/.well-known/jwks.json')
    assert.equal(status, 200)
    const keySet = createLocalJWKSet(body as unknown as { keys: JWK[] })
    const { payload } = await jwtVerify(access, keySet, { issuer: 'headrace', audience: 'headrace', typ: 'at+jwt' })
    assert.equal(payload.sub, '1')
    assert.equal((await auth.get('/api/v1/me', access)).status, 200)
    assert.ok(!JSON.stringify(body).includes('"d"'))
  })

  it('there are none with a secret', async () => {
    await using auth = await testAuth()
    assert.equal((await auth.get('/.well-known/jwks.json')).status, 404)
    assert.equal((await auth.post('/login', ann)).status, 401)
  })
})
