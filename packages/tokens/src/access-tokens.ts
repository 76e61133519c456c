import { createSigner, createVerifier } from 'fast-jwt'
import { type AccessClaims, acceptedClaims, type TokenSubject } from './claims.ts'
import type { JsonWebKeySet, TokenKeys } from './keys.ts'

export interface AccessTokensNeeds {
  readonly keys: TokenKeys
  readonly issuer: string
  readonly audience: string
  /** How long a token is good for, in seconds. */
  readonly ttlS: number
  /** Makes UUIDs, for `jti`. */
  readonly newId: () => string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Issues access tokens and tells whose one is. */
export interface AccessTokens {
  /** How long a token is good for, in seconds. */
  readonly ttlS: number
  issue(subject: TokenSubject): string
  /** The claims of a token; undefined when it is not ours, not for us, not of this time, or no token at all. */
  verify(token: string): AccessClaims | undefined
  /** The public keys, where the algorithm has any. */
  readonly keySet: JsonWebKeySet | undefined
}

/** Type of access tokens in their header (RFC 9068 §2.1), so that no other kind is taken for one. */
const headerType = 'at+jwt'

/** Longest token that is looked at: ours have less than 500 characters. */
const longestToken = 2_048

/** Access tokens as JWTs. The algorithm is that of the keys; what a token's header asks for is never considered. */
export function accessTokens(needs: AccessTokensNeeds): AccessTokens {
  const { keys, issuer: iss, audience: aud, ttlS, newId, now } = needs
  const sign = signer(keys)
  const verifiers = verifiersOf(keys)
  return {
    ttlS,
    issue({ id, uid }) {
      const iat = Math.floor(now() / 1000)
      const claims: AccessClaims = { sub: String(id), uid, iss, aud, iat, exp: iat + ttlS, jti: newId(), typ: 'access' }
      return sign({ ...claims })
    },
    verify(token) {
      if (!isWellFormed(token)) return undefined
      const rules = { issuer: iss, audience: aud, nowS: now() / 1000 }
      for (const verify of verifiers) {
        const payload = verify(token)
        if (payload !== undefined) return acceptedClaims(payload, rules)
      }
      return undefined
    },
    keySet: keys.algorithm === 'EdDSA' ? { keys: keys.pairs.map(({ jwk }) => jwk) } : undefined,
  }
}

function signer(keys: TokenKeys): (claims: Record<string, unknown>) => string {
  const header = { alg: keys.algorithm, typ: headerType }
  if (keys.algorithm === 'HS256') return createSigner({ algorithm: 'HS256', key: keys.secrets[0], header })
  const [{ privatePem, kid }] = keys.pairs
  return createSigner({ algorithm: 'EdDSA', key: privatePem, kid, header })
}

/** The payload of a token whose signature and header are right. */
type Verify = (token: string) => unknown

function verifiersOf(keys: TokenKeys): Verify[] {
  const { algorithm } = keys
  const candidates = keys.algorithm === 'HS256' ? keys.secrets : keys.pairs.map(({ publicPem }) => publicPem)
  return candidates.map((key) => {
    // Times are checked with the other claims, by the clock that is passed in.
    const ours = { ignoreExpiration: true, ignoreNotBefore: true, checkTyp: headerType }
    const verify = createVerifier({ key, algorithms: [algorithm], cache: false, ...ours })
    return (token) => {
      try {
        return verify(token) as unknown
      } catch {
        return undefined
      }
    }
  })
}

/** Three parts of base64url, the last one written in the one way there is, so that no two texts are one token. */
function isWellFormed(token: string): boolean {
  if (token.length > longestToken) return false
  const signature = /^[\w-]+\.[\w-]+\.([\w-]+)$/.exec(token)?.[1]
  return signature !== undefined && Buffer.from(signature, 'base64url').toString('base64url') === signature
}
