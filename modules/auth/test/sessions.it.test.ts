import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { ann, registered, type TestAuth, testAuth } from './support/auth.ts'

const refresh = (auth: TestAuth, token: string) => auth.post('/api/v1/refresh', { refresh_token: token })
const tokenOf = ({ body }: { readonly body: Readonly<Record<string, unknown>> }) => String(body['refresh_token'])

describe('refresh', () => {
  it('gives a new pair under each of its names, on any replica, and spends the token', async () => {
    await using auth = await testAuth()
    await using replica = await testAuth({ url: auth.station.url })
    const { refresh: first, id } = await registered(auth)
    let token = first
    for (const [index, path] of ['/api/v1/refresh', '/api/v1/token/refresh', '/refresh'].entries()) {
      const { status, body } = await (index % 2 === 0 ? replica : auth).post(path, { refresh_token: token })
      assert.equal(status, 200)
      assert.equal(auth.tokens.verify(String(body['access_token']))?.sub, String(id))
      assert.notEqual(body['refresh_token'], token)
      token = String(body['refresh_token'])
    }
  })

  it('a spent token that comes again ends the whole session, and no other', async () => {
    await using auth = await testAuth()
    const { refresh: first } = await registered(auth)
    const other = tokenOf(await auth.post('/login', ann))
    const second = tokenOf(await refresh(auth, first))
    const third = tokenOf(await refresh(auth, second))
    const again = await refresh(auth, first)
    assert.deepEqual([again.status, again.body['code']], [401, 'invalid_refresh'])
    for (const token of [first, second, third]) assert.equal((await refresh(auth, token)).status, 401)
    assert.equal((await refresh(auth, other)).status, 200)
  })

  it('of many at once with the same token at most one gets a pair, and the session ends', async () => {
    await using auth = await testAuth()
    await using replica = await testAuth({ url: auth.station.url })
    const { refresh: token } = await registered(auth)
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => refresh(index % 2 === 0 ? auth : replica, token)),
    )
    const won = answers.filter(({ status }) => status === 200)
    assert.ok(won.length <= 1)
    for (const { status } of answers) assert.ok(status === 200 || status === 401)
    for (const winner of won) assert.equal((await refresh(auth, tokenOf(winner))).status, 401)
  })

  it('what is no refresh token is 401, an access token included', async () => {
    await using auth = await testAuth()
    const { access, refresh: token } = await registered(auth)
    const [family = '', random = ''] = token.split('.')
    const wrong = [
      '',
      'x',
      access,
      family,
      `${family}.`,
      `.${random}`,
      `${token}x`,
      `${'A'.repeat(22)}.${random}`,
      `${family}.${random}.`,
    ]
    for (const each of wrong) assert.equal((await refresh(auth, each)).status, 401, each)
    assert.equal((await refresh(auth, token)).status, 200, 'none of them has touched the session')
    assert.equal((await auth.post('/refresh', { refresh_token: 7 })).status, 400)
  })

  it('a refresh token opens nothing else', async () => {
    await using auth = await testAuth()
    const { refresh: token } = await registered(auth)
    assert.equal((await auth.get('/api/v1/me', token)).status, 401)
    assert.deepEqual((await auth.introspect(`token=${token}`)).body, { active: false })
  })

  it('a session ends when it is not refreshed in time, and at its end however often it is', async () => {
    await using idle = await testAuth({ env: { REFRESH_TTL: '1' } })
    const { refresh: token } = await registered(idle)
    await expired(idle)
    assert.equal((await refresh(idle, token)).status, 401)

    await using short = await testAuth({ env: { SESSION_TTL: '3' } })
    const { body } = await short.post('/register', ann)
    assert.equal(body['refresh_expires_in'], 3)
    const next = await refresh(short, tokenOf({ body }))
    assert.ok(Number(next.body['refresh_expires_in']) <= 3)
    await expired(short)
    assert.equal((await refresh(short, tokenOf(next))).status, 401)
  })

  it('only digests are stored: who reads the store cannot refresh', async () => {
    await using auth = await testAuth()
    const { refresh: first } = await registered(auth)
    const second = tokenOf(await refresh(auth, first))
    assert.equal(auth.written.length, 2)
    for (const part of [first, second].flatMap((token) => token.split('.'))) {
      assert.ok(!JSON.stringify(auth.written).includes(part))
    }
  })
})

describe('log out', () => {
  it('revokes the session by any of its tokens, and is 204 for what is not there', async () => {
    await using auth = await testAuth()
    const { refresh: first } = await registered(auth)
    const second = tokenOf(await refresh(auth, first))
    const { status, text } = await auth.post('/api/v1/logout', { refresh_token: first })
    assert.deepEqual([status, text], [204, ''])
    assert.equal((await refresh(auth, second)).status, 401)
    for (const token of [first, 'x', '']) {
      assert.equal((await auth.post('/api/v1/logout', { refresh_token: token })).status, 204)
    }
  })
})

/** Resolves when the store holds none of the sessions any more. */
async function expired({ station, written }: TestAuth): Promise<void> {
  await untilTrue('the session has expired', async () => {
    const left = await Promise.all(written.map(([key]) => station.keyvalue.get(key)))
    return left.every((value) => value === undefined)
  })
}
