import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { describe, it } from 'node:test'
import { ed25519Keys, generatePrivateKey } from '../src/index.ts'
import {
  attackersKey,
  edToken,
  hmacToken,
  honestClaims,
  honestHeader,
  nowS,
  part,
  secret,
  subject,
  tokens,
} from './forge.ts'

const ours = tokens()
const honest = ours.issue(subject)
const [header = '', payload = '', signature = ''] = honest.split('.')
const flipped = (text: string, at: number) => `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`
const withHeader = (more: object) => hmacToken({ ...honestHeader, ...more }, honestClaims)
const withClaims = (more: object) => hmacToken(honestHeader, { ...honestClaims, ...more })

// The attacks of the public JWS vectors of Wycheproof, of RFC 8725 and of ASVS 5.0 V9, by what is wrong with each.
const attacks: Readonly<Record<string, string>> = {
  'nothing at all': '',
  'no token': 'hello',
  'only dots': '..',
  'the signature is empty': `${header}.${payload}.`,
  'signature and its dot are missing': `${header}.${payload}`,
  'the payload is empty': `${header}..${signature}`,
  'payload and its dot are missing': `${header}.${signature}`,
  'the header is empty': `.${payload}.${signature}`,
  'only a payload': `.${payload}.`,
  'a fourth part that is empty': `${honest}.`,
  'a fourth part': `${honest}.Zm9v`,
  'the signature was changed': `${header}.${payload}.${flipped(signature, 0)}`,
  'the signature was cut': honest.slice(0, -1),
  'the signature is written in another way': `${header}.${payload}.${signature.slice(0, -1)}${nextLetter(signature.at(-1) ?? '')}`,
  'the signature has padding': `${honest}=`,
  'the signature has a blank': `${header}.${payload}.${signature.slice(0, 9)} ${signature.slice(9)}`,
  'the payload was changed': `${header}.${part({ ...honestClaims, sub: '1' })}.${signature}`,
  'the header was changed': `${part({ ...honestHeader, kid: 'x' })}.${payload}.${signature}`,
  'JSON serialization': JSON.stringify({ payload, signatures: [{ protected: header, signature }] }),
  'alg none without a signature': `${part({ alg: 'none', typ: 'at+jwt' })}.${payload}.`,
  'alg none with our signature': `${part({ alg: 'none', typ: 'at+jwt' })}.${payload}.${signature}`,
  'alg NoNe': `${part({ alg: 'NoNe', typ: 'at+jwt' })}.${payload}.`,
  'alg none, signed': hmacToken({ alg: 'none', typ: 'at+jwt' }, honestClaims),
  'alg is missing': hmacToken({ typ: 'at+jwt' }, honestClaims),
  'alg in lower case': hmacToken({ alg: 'hs256', typ: 'at+jwt' }, honestClaims),
  'another hash with our secret': hmacToken({ alg: 'HS512', typ: 'at+jwt' }, honestClaims, secret, 'sha512'),
  'an algorithm of keys': hmacToken({ alg: 'EdDSA', typ: 'at+jwt' }, honestClaims),
  'another secret': hmacToken(honestHeader, honestClaims, 'another secret of thirty-two byte'),
  'an empty secret': hmacToken(honestHeader, honestClaims, ''),
  'a key that it brings along (jwk)': edToken(
    { alg: 'EdDSA', typ: 'at+jwt', jwk: attackersKey.publicKey.export({ format: 'jwk' }) },
    honestClaims,
    attackersKey.privateKey,
  ),
  'a secret that it brings along (jwk)': hmacToken(
    { ...honestHeader, jwk: { kty: 'oct', k: part('k'.repeat(32)) } },
    honestClaims,
    'k'.repeat(32),
  ),
  'a key that it points to (jku)': edToken(
    { alg: 'EdDSA', typ: 'at+jwt', jku: 'https://evil.example/jwks.json', kid: 'evil' },
    honestClaims,
    attackersKey.privateKey,
  ),
  'a file as its key (kid)': hmacToken({ ...honestHeader, kid: '../../dev/null' }, honestClaims, Buffer.alloc(0)),
  'an extension that must be understood (crit)': withHeader({ crit: ['exp2'], exp2: 1 }),
  'an unencoded payload (b64)': withHeader({ crit: ['b64'], b64: false }),
  'another type: JWT': withHeader({ typ: 'JWT' }),
  'another type: none': hmacToken({ alg: 'HS256' }, honestClaims),
  'another type: a list': withHeader({ typ: ['at+jwt'] }),
  'another kind: refresh': withClaims({ typ: 'refresh' }),
  'another kind: none': withClaims({ typ: undefined }),
  'for another audience': withClaims({ aud: 'somebody-else' }),
  'for several audiences': withClaims({ aud: ['headrace', 'somebody-else'] }),
  'for nobody': withClaims({ aud: undefined }),
  'of another issuer': withClaims({ iss: 'https://evil.example' }),
  'of no issuer': withClaims({ iss: undefined }),
  'expired this second': withClaims({ iat: nowS - 1800, exp: nowS }),
  'expired long ago': withClaims({ iat: 0, exp: 1 }),
  'never expires': withClaims({ exp: undefined }),
  'expires as a text': withClaims({ exp: String(nowS + 60) }),
  'expires at infinity': hmacToken(honestHeader, JSON.stringify(honestClaims).replace(/"exp":\d+/, '"exp":1e999')),
  'issued in the future': withClaims({ iat: nowS + 60, exp: nowS + 120 }),
  'not valid before later': withClaims({ nbf: nowS + 60 }),
  'no issue time': withClaims({ iat: undefined }),
  'ends before it begins': withClaims({ iat: nowS + 20, exp: nowS + 10 }),
  'no subject': withClaims({ sub: undefined }),
  'a subject that is no id': withClaims({ sub: 'admin' }),
  'a subject that is below 1': withClaims({ sub: '-1' }),
  'a subject that is beyond counting': withClaims({ sub: '99999999999999999999' }),
  'a uid that is no UUID': withClaims({ uid: '21' }),
  'a payload that is a list': hmacToken(honestHeader, [honestClaims]),
  'a payload that is null': hmacToken(honestHeader, null),
  'a payload that is no JSON': hmacToken(honestHeader, 'foo'),
  'a header that is a list': hmacToken([honestHeader], honestClaims),
  'longer than any of ours': withClaims({ more: 'x'.repeat(3000) }),
}

/** The letter whose first bits are the same: the last letter of a signature has bits that mean nothing. */
function nextLetter(letter: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return alphabet[alphabet.indexOf(letter) + 1] ?? ''
}

describe('a token is refused when it is', () => {
  for (const [what, token] of Object.entries(attacks)) {
    it(what, () => assert.equal(ours.verify(token), undefined))
  }
})

it('the forger of these tests can make a token that is accepted, so each is refused for what it changes', () => {
  assert.deepEqual(ours.verify(hmacToken(honestHeader, honestClaims)), honestClaims)
  assert.deepEqual(ours.verify(withClaims({ iat: nowS + 20, more: true })), { ...honestClaims, iat: nowS + 20 })
})

describe('with keys instead of a secret', () => {
  const pem = generatePrivateKey()
  const keyed = tokens(ed25519Keys({ variable: 'JWT_PRIVATE_KEY', value: pem }))
  const [jwk] = keyed.keySet?.keys ?? []
  const keyHeader = { alg: 'EdDSA', typ: 'at+jwt', kid: jwk?.kid }

  it('a token signed with the key is accepted', () => {
    assert.deepEqual(keyed.verify(keyed.issue(subject)), honestClaims)
    assert.deepEqual(keyed.verify(edToken(keyHeader, honestClaims, createPrivateKey(pem))), honestClaims)
  })

  it('the public key is no secret: a token signed with it as one is refused, whatever it calls itself', () => {
    const x = Buffer.from(jwk?.x ?? '', 'base64url')
    for (const key of [x, jwk?.x ?? '', JSON.stringify(jwk), pem]) {
      for (const alg of ['HS256', 'EdDSA']) {
        assert.equal(keyed.verify(hmacToken({ ...keyHeader, alg }, honestClaims, key)), undefined)
      }
    }
  })

  it('a key that the token brings along, points to or names is not used', () => {
    const stranger = attackersKey.publicKey.export({ format: 'jwk' })
    for (const more of [
      {},
      { jwk: stranger },
      { jku: 'https://evil.example/' },
      { kid: 'evil' },
      { x5u: 'https://e/' },
    ]) {
      assert.equal(keyed.verify(edToken({ ...keyHeader, ...more }, honestClaims, attackersKey.privateKey)), undefined)
    }
  })
})
