/** Whose a token is. */
export interface TokenSubject {
  /** The account's integer id, as `sub`. */
  readonly id: number
  /** The same account's UUID, as `uid`. */
  readonly uid: string
}

/** What an access token says (RFC 7519). */
export interface AccessClaims {
  /** The integer id as a text: JWT libraries refuse a `sub` that is none (RFC 7519 §4.1.2). */
  readonly sub: string
  readonly uid: string
  readonly iss: string
  readonly aud: string
  /** Seconds since the epoch. */
  readonly iat: number
  /** Seconds since the epoch. */
  readonly exp: number
  readonly jti: string
  readonly typ: 'access'
}

/** What must be true of a token's claims, beyond its signature. */
export interface ClaimRules {
  readonly issuer: string
  readonly audience: string
  /** Seconds since the epoch. */
  readonly nowS: number
}

/** Clocks of our machines differ by at most this, in seconds. */
const clockSkewS = 30

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const positiveInteger = /^[1-9]\d{0,15}$/

/** The claims of a token whose signature is right; undefined when any is missing, malformed or does not fit. */
export function acceptedClaims(payload: unknown, rules: ClaimRules): AccessClaims | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined
  // Looked at field by field.
  const claims = payload as Readonly<Record<string, unknown>>
  const { sub, uid, iss, aud, iat, exp, jti, typ, nbf } = claims
  const isOurs = iss === rules.issuer && aud === rules.audience && typ === 'access' && nbf === undefined
  const isSomebodys = isText(sub, positiveInteger) && isText(uid, uuid) && isText(jti, uuid)
  const isCurrent = isTime(iat) && isTime(exp) && iat <= rules.nowS + clockSkewS && iat < exp && rules.nowS < exp
  if (!isOurs || !isSomebodys || !isCurrent) return undefined
  return { sub, uid, iss: rules.issuer, aud: rules.audience, iat, exp, jti, typ: 'access' }
}

function isText(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value)
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value)
}
