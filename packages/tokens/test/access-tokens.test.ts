import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { ed25519Keys, generatePrivateKey, hmacKeys } from '../src/index.ts'
import { honestClaims, nowMs, part, secret, subject, tokens } from './forge.ts'

const expected = { issuer: 'headrace', audience: 'headrace', typ: 'at+jwt', currentDate: new Date(nowMs) }

it('an issued token says whose it is, from whom, for whom, and until when', () => {
  const issued = tokens()
  assert.deepEqual(issued.verify(issued.issue(subject)), honestClaims)
})

it('another implementation accepts our tokens: by the secret, and by the published keys', async () => {
  const { payload } = await jwtVerify(tokens().issue(subject), Buffer.from(secret), {
    ...expected,
    algorithms: ['HS256'],
  })
  assert.deepEqual(payload, honestClaims)
  const keyed = tokens(ed25519Keys({ variable: 'JWT_PRIVATE_KEY', value: generatePrivateKey() }))
  const keySet = createLocalJWKSet({ keys: keyed.keySet?.keys.map((key) => ({ ...key })) ?? [] })
  const verified = await jwtVerify(keyed.issue(subject), keySet, { ...expected, algorithms: ['EdDSA'] })
  assert.deepEqual(verified.payload, honestClaims)
})

it('what the previous secret signed is still accepted, and nothing more is signed with it', () => {
  const older = 'the secret that was used before this'
  const before = tokens(hmacKeys({ variable: 'JWT_SECRET', value: older }))
  const after = tokens(
    hmacKeys({ variable: 'JWT_SECRET', value: secret }, { variable: 'JWT_SECRET_PREVIOUS', value: older }),
  )
  assert.deepEqual(after.verify(before.issue(subject)), honestClaims)
  assert.equal(before.verify(after.issue(subject)), undefined)
})

it('what the previous key signed is still accepted, and both are published', () => {
  const pem = generatePrivateKey()
  const before = tokens(ed25519Keys({ variable: 'JWT_PRIVATE_KEY', value: pem }))
  const after = tokens(
    ed25519Keys(
      { variable: 'JWT_PRIVATE_KEY', value: generatePrivateKey() },
      { variable: 'JWT_PRIVATE_KEY_PREVIOUS', value: pem.replaceAll('\n', '\\n') },
    ),
  )
  assert.deepEqual(after.verify(before.issue(subject)), honestClaims)
  assert.equal(after.keySet?.keys.length, 2)
  assert.ok(!JSON.stringify(after.keySet).includes('"d"'))
})

it('a secret under 32 bytes is refused by name, without showing it', () => {
  const short = 'x'.repeat(31)
  assert.throws(() => hmacKeys({ variable: 'JWT_SECRET', value: short }), {
    code: 'INVALID_SETTING',
    message: /^JWT_SECRET has 31 bytes: expected at least 32/,
  })
  assert.throws(
    () => hmacKeys({ variable: 'JWT_SECRET', value: secret }, { variable: 'JWT_SECRET_PREVIOUS', value: short }),
    /JWT_SECRET_PREVIOUS has 31 bytes/,
  )
  assert.ok(hmacKeys({ variable: 'JWT_SECRET', value: 'é'.repeat(16) }))
})

it('a key that is no Ed25519 key is refused by name, without showing it', () => {
  for (const value of ['hello', part('hello'), '-----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY-----']) {
    assert.throws(
      () => ed25519Keys({ variable: 'JWT_PRIVATE_KEY', value }),
      (error: Error) => error.message.startsWith('JWT_PRIVATE_KEY is no private key') && !error.message.includes(value),
    )
  }
})
