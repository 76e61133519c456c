import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { type AccessTokens, accessTokens, hmacKeys, type TokenKeys } from '../src/index.ts'

/** Everything that a test of tokens knows: the moment, the secret, an honest token's claims. */
export const nowMs = Date.parse('2026-11-21T12:00:00.500Z')
export const nowS = Math.floor(nowMs / 1000)
export const secret = 'a secret of exactly thirty-two b'
export const subject = { id: 21, uid: '01a1fe70-ffb7-7080-a01a-a519687ca715' }
const jti = '01a1fe70-ffcc-735c-973b-3270fc3e8e99'

export const honestHeader = { alg: 'HS256', typ: 'at+jwt' }
export const honestClaims = {
  sub: '21',
  uid: subject.uid,
  iss: 'headrace',
  aud: 'headrace',
  iat: nowS,
  exp: nowS + 1800,
  jti,
  typ: 'access',
}

export function tokens(keys: TokenKeys = hmacKeys({ variable: 'JWT_SECRET', value: secret })): AccessTokens {
  return accessTokens({
    keys,
    issuer: 'headrace',
    audience: 'headrace',
    ttlS: 1800,
    newId: () => jti,
    now: () => nowMs,
  })
}

/** A part of a token: a JSON value, or a text as it is. */
export function part(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

/** A token signed with a secret, whatever its header says. */
export function hmacToken(header: unknown, claims: unknown, key: string | Buffer = secret, hash = 'sha256'): string {
  const input = `${part(header)}.${part(claims)}`
  return `${input}.${createHmac(hash, key).update(input).digest('base64url')}`
}

/** A token signed with an Ed25519 key. */
export function edToken(header: unknown, claims: unknown, key: KeyObject): string {
  const input = `${part(header)}.${part(claims)}`
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`
}

export const attackersKey = generateKeyPairSync('ed25519')
