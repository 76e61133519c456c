import { createHash } from 'node:crypto'
import { invalidRequest } from './problem.ts'

/**
 * The key of an `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header): a structured field string, or the
 * bare text that many clients send; `"a"` and `a` are one key. Undefined without a header.
 * Throws `INVALID_REQUEST` when it is not 1–255 characters of visible ASCII (in quotes also blanks).
 */
export function idempotencyKey(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  // Two headers reach us joined by a comma, which neither form can hold.
  const written = typeof header === 'string' ? header.trim() : ''
  const quoted = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/.exec(written)?.[1]?.replace(/\\(.)/g, '$1')
  const key = quoted ?? /^[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+$/.exec(written)?.[0] ?? ''
  if (key.length >= 1 && key.length <= 255) return key
  throw invalidRequest('Idempotency-Key must be one text of 1 to 255 visible ASCII characters')
}

/** Who uses a key and for what: keys of different scopes never meet. */
export interface KeyScope {
  /** The caller: the token's subject, else the `user_id` that the request names, else `anonymous`. */
  readonly caller: string
  readonly method: string
  /** The route's pattern with its parameters filled in, as `/orders/7/payments`. */
  readonly route: string
}

/** What a scope and key are stored under: 32 bytes, whatever their length. */
export function keyId(scope: KeyScope, key: string): Buffer {
  const hash = createHash('sha256')
  // As JSON, so that no two scopes can be written alike.
  return hash.update(JSON.stringify([scope.caller, scope.method, scope.route, key])).digest()
}

/**
 * The fingerprint of a request: equal bodies, equal fingerprints. JSON counts as a value (the order of keys and blanks
 * do not matter), bytes as bytes.
 */
export function fingerprint(method: string, route: string, body: unknown): Buffer {
  const hash = createHash('sha256').update(`${method} ${route}\n`)
  return hash.update(body instanceof Uint8Array ? body : canonicalJson(body)).digest()
}

function canonicalJson(body: unknown): string {
  return JSON.stringify(body, sortedKeys) ?? ''
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
