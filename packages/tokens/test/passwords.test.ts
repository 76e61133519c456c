import assert from 'node:assert/strict'
import { it } from 'node:test'
import { passwordHasher } from '../src/index.ts'

it('a password is hashed with argon2id as OWASP asks, with a salt of its own', async () => {
  const hasher = passwordHasher()
  const [one, two] = await Promise.all([hasher.hash('correct horse'), hasher.hash('correct horse')])
  assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
  assert.notEqual(one, two)
  assert.equal(await hasher.verify(one, 'correct horse'), true)
  assert.equal(await hasher.verify(one, 'correct horse '), false)
})

it('a password is taken as it is: neither cut nor trimmed nor folded', async () => {
  const hasher = passwordHasher()
  const long = `${'é'.repeat(127)}x`
  const stored = await hasher.hash(long)
  assert.equal(await hasher.verify(stored, long), true)
  for (const other of [`${'é'.repeat(127)}y`, long.toUpperCase(), ` ${long}`, long.normalize('NFD')]) {
    assert.equal(await hasher.verify(stored, other), false)
  }
})

it('without a hash no password is right, and as much is computed', async () => {
  const hasher = passwordHasher({ concurrency: 1, maxWaiting: 0 })
  // The turn is taken for nobody's hash, too.
  const running = hasher.verify(undefined, 'anything')
  await new Promise((resolve) => setImmediate(resolve))
  const first = await running
  assert.equal(first, false)
  const both = await Promise.allSettled([hasher.verify(undefined, 'a'), hasher.verify(undefined, 'b')])
  assert.deepEqual(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
})

it('beyond those that run and wait a caller is refused, and the turns come back', async () => {
  const hasher = passwordHasher({ concurrency: 1, maxWaiting: 1 })
  const answers = await Promise.allSettled([1, 2, 3, 4].map((n) => hasher.hash(`password ${n}`)))
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'rejected'],
  )
  const [refused] = answers.filter((answer) => answer.status === 'rejected')
  assert.equal(refused?.reason.code, 'TOO_MANY_REQUESTS')
  assert.match(await hasher.hash('again'), /^\$argon2id/)
})

it('a hash that is damaged frees its turn', async () => {
  const hasher = passwordHasher({ concurrency: 1, maxWaiting: 0 })
  await assert.rejects(hasher.verify('$argon2id$broken', 'x'))
  assert.match(await hasher.hash('again'), /^\$argon2id/)
})
