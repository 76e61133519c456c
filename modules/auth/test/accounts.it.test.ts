import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLogger } from '@headrace/runtime'
import { ann, bob, registered, testAuth } from './support/auth.ts'

const pairFields = ['access_token', 'expires_in', 'refresh_expires_in', 'refresh_token', 'token_type']

describe('register', () => {
  it('makes an account and logs in, under each of its names', async () => {
    await using auth = await testAuth()
    const paths = ['/api/v1/register', '/api/v1/registration', '/register']
    for (const [index, path] of paths.entries()) {
      const email = `Ann.${index}@Example.com`
      const { status, body, headers } = await auth.post(path, { email, password: ann.password })
      assert.deepEqual([status, headers['cache-control']], [201, 'no-store'])
      assert.deepEqual(Object.keys(body).toSorted(), [...pairFields, 'created_at', 'email', 'id'].toSorted())
      assert.deepEqual([body['id'], body['email'], body['token_type']], [index + 1, email, 'bearer'])
      assert.deepEqual([body['expires_in'], body['refresh_expires_in']], [1800, 604_800])
      assert.match(String(body['created_at']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      const claims = auth.tokens.verify(String(body['access_token']))
      assert.equal(claims?.sub, String(index + 1))
      assert.match(claims?.uid ?? '', /^[0-9a-f-]{14}7/, 'a UUID of version 7')
    }
  })

  it('one e-mail is one account, in whatever case, also when it is registered many times at once', async () => {
    await using auth = await testAuth()
    await using replica = await testAuth({ url: auth.station.url })
    const answers = await Promise.all(
      ['ann@example.com', 'ANN@example.com', 'Ann@Example.Com', 'ann@EXAMPLE.com'].map((email, index) =>
        (index % 2 === 0 ? auth : replica).post('/register', { email, password: ann.password }),
      ),
    )
    const statuses = answers.map(({ status }) => status)
    assert.deepEqual(statuses.toSorted(), [201, 409, 409, 409])
    const refused = answers.find(({ status }) => status === 409)
    assert.deepEqual([refused?.body['code'], refused?.headers['retry-after']], ['email_taken', undefined])
    assert.equal((await auth.post('/register', ann)).status, 409)
  })

  it('what is no e-mail or no password is 400 and names the field, never the password', async () => {
    await using auth = await testAuth()
    const cases: readonly (readonly [unknown, RegExp])[] = [
      [{ ...ann, email: 'ann' }, /^email must be an e-mail address, got "ann"$/],
      [{ ...ann, email: 7 }, /^email must be string/],
      [{ email: ann.email }, /password/],
      [{ ...ann, password: 'secret7' }, /^password must have 8 to 128 characters$/],
      [{ ...ann, password: 'x'.repeat(129) }, /^password must have 8 to 128 characters$/],
      [{ ...ann, password: ['secret-list'] }, /^password must be string/],
      [{ ...ann, password: 12_345_678 }, /^password must be string/],
      ['{', /not valid JSON/],
      ['null', /./],
      ['[]', /./],
    ]
    for (const path of ['/api/v1/register', '/api/v1/login']) {
      for (const [body, detail] of cases) {
        const isLoginOfAnything = path.endsWith('login') && typeof (body as { email?: unknown })?.email === 'string'
        const { status, body: problem, text } = await auth.post(path, body)
        if (isLoginOfAnything && status === 401) continue
        assert.equal(status, 400, `${path} ${JSON.stringify(body)}`)
        assert.match(String(problem['detail']), detail)
        assert.ok(!/secret|12345678|xxxxx/.test(text))
      }
      const empty = await auth.server.app.inject({ method: 'POST', url: path })
      assert.equal(empty.statusCode, 400)
    }
  })

  it('an Idempotency-Key is ignored: its answer would be a secret that is kept', async () => {
    await using auth = await testAuth()
    const headers = { 'idempotency-key': '"once"' }
    assert.equal((await auth.post('/register', ann, { headers })).status, 201)
    assert.equal((await auth.post('/register', ann, { headers })).status, 409)
    const logins = [await auth.post('/login', ann, { headers }), await auth.post('/login', ann, { headers })]
    assert.notEqual(logins[0]?.body['refresh_token'], logins[1]?.body['refresh_token'])
    const kept = await auth.station.database.query({
      text: "select 1 from information_schema.tables where table_name = 'idempotency_key'",
    })
    assert.equal(kept.rowCount, 0, 'there is not even a table for it here')
  })
})

describe('log in', () => {
  it('gives a pair, in whatever case the e-mail is written, under each of its names', async () => {
    await using auth = await testAuth()
    const { id } = await registered(auth)
    for (const path of ['/api/v1/login', '/login']) {
      const { status, body, headers } = await auth.post(path, { ...ann, email: 'ANN@Example.com' })
      assert.deepEqual([status, headers['cache-control']], [200, 'no-store'])
      assert.deepEqual(Object.keys(body).toSorted(), pairFields)
      assert.equal(auth.tokens.verify(String(body['access_token']))?.sub, String(id))
    }
  })

  it('an unknown e-mail and a wrong password get the same answer, after the same steps', async () => {
    await using auth = await testAuth({ env: { LOGIN_MAX_FAILURES: '1000', LOGIN_MAX_FAILURES_PER_ADDRESS: '1000' } })
    await registered(auth)
    const known = () => auth.post('/login', { ...ann, password: 'wrong horse' })
    const unknown = () => auth.post('/login', { ...bob, password: 'wrong horse' })
    const [first, second] = [await known(), await unknown()]
    const { instance: _one, ...told } = first.body
    const { instance: _two, ...toldOther } = second.body
    assert.deepEqual(told, toldOther)
    assert.deepEqual([first.status, told['code']], [401, 'invalid_credentials'])
    assert.deepEqual(withoutRequestId(first.headers), withoutRequestId(second.headers))
    // Each checks one password: were it not so for an unknown e-mail, its answers would take a third of the time.
    const times = { known: [] as number[], unknown: [] as number[] }
    for (let round = 0; round < 15; round += 1) {
      times.known.push(await timeOf(known))
      times.unknown.push(await timeOf(unknown))
    }
    const ratio = median(times.unknown) / median(times.known)
    assert.ok(ratio > 0.5 && ratio < 2, `an unknown e-mail takes ${ratio.toFixed(2)} times as long`)
  })

  it('no password, token or hash is written to the log', async () => {
    const lines: string[] = []
    const logger = createLogger({ level: 'trace', format: 'json', destination: { write: (line) => lines.push(line) } })
    await using auth = await testAuth({ logger })
    const { refresh } = await registered(auth)
    await auth.post('/login', { ...ann, password: 'another password' })
    await auth.post('/refresh', { refresh_token: refresh })
    await auth.post('/refresh', { refresh_token: refresh })
    assert.ok(lines.some((line) => line.includes('spent refresh token')))
    assert.ok(!lines.some((line) => /correct horse|another password|argon2|eyJ/.test(line) || line.includes(refresh)))
  })
})

it('me says whose the token is, and nothing without one', async () => {
  await using auth = await testAuth()
  const { access, id } = await registered(auth)
  const { status, body, headers } = await auth.get('/api/v1/me', access)
  assert.deepEqual([status, headers['cache-control']], [200, 'no-store'])
  assert.deepEqual(Object.keys(body).toSorted(), ['created_at', 'email', 'id', 'uid'])
  assert.deepEqual([body['id'], body['email']], [id, ann.email])
  assert.equal((await auth.get('/api/v1/me')).status, 401)
  const nobodys = auth.tokens.issue({ id: 4711, uid: String(body['uid']) })
  assert.equal((await auth.get('/api/v1/me', nobodys)).status, 401)
})

it('what happens to accounts is told in auth-events, keyed by the user, with its trace', async () => {
  await using auth = await testAuth()
  const told: { readonly key: string; readonly type: string; readonly trace: string; readonly body: unknown }[] = []
  const both = Promise.withResolvers<void>()
  await using _consumer = await auth.station.consume({
    group: 'test',
    topic: 'auth-events',
    handle: (_tx, messages) => {
      for (const { key, type, headers, body } of messages) {
        told.push({ key, type, trace: headers['traceparent'] ?? '', body: JSON.parse(Buffer.from(body).toString()) })
      }
      if (told.length === 2) both.resolve()
    },
  })
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const { body } = await auth.post('/register', ann, { headers: { traceparent } })
  await auth.post('/login', ann)
  await auth.post('/login', { ...ann, password: 'wrong horse' })
  await both.promise
  const [created, login] = told
  const { ts: createdAt, ...createdFacts } = (created?.body ?? {}) as Record<string, unknown>
  const { ts: loggedInAt, ...loginFacts } = (login?.body ?? {}) as Record<string, unknown>
  assert.deepEqual(createdFacts, { event: 'user_created', id: body['id'], email: ann.email })
  assert.deepEqual(loginFacts, { event: 'login', id: body['id'] })
  assert.equal(createdAt, body['created_at'])
  assert.match(String(loggedInAt), /^\d{4}-.*\.\d{3}Z$/)
  assert.deepEqual([created?.key, created?.type, login?.type], [String(body['id']), 'auth.user_created', 'auth.login'])
  assert.match(created?.trace ?? '', /^00-0af7651916cd43dd8448eb211c80319c-/)
})

/** Of the processor, in µs: what else the machine does is not in it. */
async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

function withoutRequestId({
  'x-request-id': _id,
  date: _date,
  'content-length': _length,
  ...rest
}: Readonly<Record<string, unknown>>) {
  return rest
}
