import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ann, bob, registered, testAuth } from './support/auth.ts'

const wrong = { password: 'wrong horse' }

describe('repeated failures', () => {
  it('of one account are 429 with Retry-After, on every replica, from any address, with the right password, too', async () => {
    await using auth = await testAuth()
    await using replica = await testAuth({ url: auth.station.url })
    await registered(auth)
    for (let failures = 1; failures <= 5; failures += 1) {
      const { status } = await (failures % 2 === 0 ? auth : replica).post('/login', { ...ann, ...wrong })
      assert.equal(status, 401)
    }
    for (const body of [{ ...ann, ...wrong }, ann, { ...ann, email: 'ANN@EXAMPLE.com' }]) {
      const refused = await replica.post('/login', body, { from: '10.1.2.3' })
      assert.deepEqual([refused.status, refused.body['code']], [429, 'too_many_requests'])
      const seconds = Number(refused.headers['retry-after'])
      assert.ok(seconds > 200 && seconds <= 300, `Retry-After is ${seconds}`)
    }
    assert.equal((await auth.post('/login', { ...bob, ...wrong })).status, 401, 'others are not slowed down')
  })

  it('of an unknown e-mail are counted like those of a known one', async () => {
    await using auth = await testAuth({ env: { LOGIN_MAX_FAILURES: '2' } })
    const statuses: number[] = []
    for (let attempt = 0; attempt < 3; attempt += 1) {
      statuses.push((await auth.post('/login', { ...bob, ...wrong })).status)
    }
    assert.deepEqual(statuses, [401, 401, 429])
  })

  it('of one address are counted over all accounts, logins and registrations of taken e-mails together', async () => {
    await using auth = await testAuth({ env: { LOGIN_MAX_FAILURES_PER_ADDRESS: '3' } })
    await registered(auth)
    const from = '10.9.9.9'
    assert.equal((await auth.post('/login', { email: 'a@example.com', ...wrong }, { from })).status, 401)
    assert.equal((await auth.post('/login', { email: 'b@example.com', ...wrong }, { from })).status, 401)
    assert.equal((await auth.post('/register', ann, { from })).status, 409)
    assert.equal((await auth.post('/login', ann, { from })).status, 429)
    assert.equal((await auth.post('/register', bob, { from })).status, 429)
    assert.equal((await auth.post('/login', ann, { from: '10.9.9.8' })).status, 200)
  })

  it('are forgotten by a login that succeeds, and when the window ends', async () => {
    await using auth = await testAuth({ env: { LOGIN_MAX_FAILURES: '2', LOGIN_FAILURE_WINDOW_MS: '2s' } })
    await registered(auth)
    for (let round = 0; round < 3; round += 1) {
      assert.equal((await auth.post('/login', { ...ann, ...wrong })).status, 401)
      assert.equal((await auth.post('/login', ann)).status, 200)
    }
    let last = 200
    const deadline = performance.now() + 60_000
    while (last !== 429 && performance.now() < deadline) last = (await auth.post('/login', { ...ann, ...wrong })).status
    assert.equal(last, 429)
    while (last === 429 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      last = (await auth.post('/login', ann)).status
    }
    assert.equal(last, 200)
  })

  it('that come all at once learn no more than those that come one by one', async () => {
    await using auth = await testAuth({ env: { LOGIN_MAX_FAILURES: '3' } })
    await registered(auth)
    const guesses = Array.from({ length: 30 }, () => auth.post('/login', { ...ann, ...wrong }))
    const right = await auth.post('/login', ann)
    const answers = await Promise.all(guesses)
    assert.equal(right.status, 429, 'the right guess came behind thirty wrong ones')
    const told = answers.filter(({ status }) => status === 401)
    assert.equal(told.length, 3, 'so many guesses are told that they are wrong')
    const untold = answers.filter(({ status }) => status !== 401)
    const shape = ({ status, body }: (typeof answers)[number]) => [status, Object.keys(body), body['code']]
    for (const answer of untold) assert.deepEqual(shape(answer), shape(right), 'the rest look like the right one')
  })

  it('are not made of logins that are right, however many come at once', async () => {
    await using auth = await testAuth()
    await registered(auth)
    const answers = await Promise.all(Array.from({ length: 20 }, () => auth.post('/login', ann)))
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  })
})

it('more passwords than can be checked are 429, and nobody’s failure', async () => {
  await using auth = await testAuth()
  await registered(auth)
  const answers = await Promise.all(Array.from({ length: 200 }, () => auth.post('/login', ann)))
  const statuses = answers.map(({ status }) => status)
  assert.deepEqual(new Set(statuses), new Set([200, 429]))
  const refused = answers.find(({ status }) => status === 429)
  assert.equal(refused?.headers['retry-after'], '1')
  assert.equal((await auth.post('/login', ann)).status, 200)
})
