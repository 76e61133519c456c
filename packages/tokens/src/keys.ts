import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { messageOf, PlatformError } from '@headrace/runtime'

/** What signs tokens, and all that may have signed those still in use. */
export type TokenKeys =
  /** One secret for who signs and who verifies. */
  | { readonly algorithm: 'HS256'; readonly secrets: readonly [current: Buffer, ...previous: Buffer[]] }
  /** Whoever has the set of public keys can verify. */
  | { readonly algorithm: 'EdDSA'; readonly pairs: readonly [current: EdKey, ...previous: EdKey[]] }

export interface EdKey {
  /** Thumbprint of the public key (RFC 7638). */
  readonly kid: string
  /** PKCS #8 in PEM; only the current one signs. */
  readonly privatePem: string
  /** SPKI in PEM. */
  readonly publicPem: string
  readonly jwk: Ed25519Jwk
}

/** A public key as JSON (RFC 8037). */
export interface Ed25519Jwk {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly kid: string
  readonly use: 'sig'
  readonly alg: 'EdDSA'
}

/** Public keys (RFC 7517 §5). */
export interface JsonWebKeySet {
  readonly keys: readonly Ed25519Jwk[]
}

/** A secret as it is named in errors. */
interface NamedSecret {
  readonly variable: string
  readonly value: string
}

/** Shortest secret in bytes: as long as the digest (RFC 7518 §3.2). */
const leastSecretBytes = 32

/** Keys of HS256: the first secret signs, each verifies. Throws `INVALID_SETTING` for one of less than 32 bytes. */
export function hmacKeys(current: NamedSecret, ...previous: readonly NamedSecret[]): TokenKeys {
  return { algorithm: 'HS256', secrets: [secretBytes(current), ...previous.map(secretBytes)] }
}

function secretBytes({ variable, value }: NamedSecret): Buffer {
  const bytes = Buffer.from(value)
  if (bytes.byteLength >= leastSecretBytes) return bytes
  const text = `${variable} has ${bytes.byteLength} bytes: expected at least ${leastSecretBytes}, such as \`openssl rand -base64 32\``
  throw new PlatformError('INVALID_SETTING', text)
}

/** Keys of EdDSA: the first one signs, each verifies. Throws `INVALID_SETTING` for what is no Ed25519 key. */
export function ed25519Keys(current: NamedSecret, ...previous: readonly NamedSecret[]): TokenKeys {
  return { algorithm: 'EdDSA', pairs: [edKey(current), ...previous.map(edKey)] }
}

function edKey({ variable, value }: NamedSecret): EdKey {
  const key = privateKey(variable, value)
  const publicKey = createPublicKey(key)
  const x = String(publicKey.export({ format: 'jwk' }).x)
  // The members in this order, without blanks (RFC 7638 §3).
  const kid = createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url')
  return {
    kid,
    privatePem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    jwk: { kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig', alg: 'EdDSA' },
  }
}

function privateKey(variable: string, value: string): KeyObject {
  let key: KeyObject
  try {
    // In a variable of one line the ends of lines are written \n.
    key = createPrivateKey(value.replaceAll('\\n', '\n'))
  } catch (cause) {
    throw new PlatformError('INVALID_SETTING', `${variable} is no private key: ${expected} (${messageOf(cause)})`)
  }
  if (key.asymmetricKeyType === 'ed25519') return key
  throw new PlatformError('INVALID_SETTING', `${variable} is a key of type ${key.asymmetricKeyType}: ${expected}`)
}

const expected = 'expected Ed25519 in PEM, such as `openssl genpkey -algorithm ed25519`'

/** A new private key in PEM. */
export function generatePrivateKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}
