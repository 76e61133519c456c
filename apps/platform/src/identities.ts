import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { type Callers, isLoopback } from '@headrace/http-kit'
import type { KeyValue } from '@headrace/keyvalue'
import { PlatformError } from '@headrace/runtime'
import {
  type AccessTokens,
  accessTokens,
  ed25519Keys,
  generatePrivateKey,
  hmacKeys,
  keptSecret,
  type StreamTickets,
  streamTickets,
  type TokenKeys,
} from '@headrace/tokens'
import type { PlatformSettings } from './settings.ts'

/** How a process finds out who asks, and what it issues tokens with. */
export interface Identities {
  readonly accessTokens: AccessTokens
  readonly streamTickets: StreamTickets
  readonly callers: Callers
}

/**
 * Reads or makes the keys. `keyvalue` holds the tickets; without it none is good. Throws `INVALID_SETTING` that names
 * the variable: a key that is too weak or malformed, or missing where others can reach the process.
 */
export async function identities(settings: PlatformSettings, keyvalue: KeyValue | undefined): Promise<Identities> {
  const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience, ACCESS_TTL: ttlS } = settings
  const tokens = accessTokens({
    keys: await keysOf(settings),
    issuer,
    audience,
    ttlS,
    newId: randomUUID,
    now: Date.now,
  })
  const tickets = keyvalue === undefined ? noTickets : streamTickets({ keyvalue, reuseS: ttlS })
  return {
    accessTokens: tokens,
    streamTickets: tickets,
    callers: {
      required: authRequired(settings),
      byToken(token) {
        const claims = tokens.verify(token)
        return claims && { id: Number(claims.sub), uid: claims.uid }
      },
      byTicket: (ticket, route) => tickets.redeem(ticket, route),
    },
  }
}

/** Whether everybody has to say who they are: unless set otherwise, where others than this machine can ask. */
export function authRequired({ AUTH_REQUIRED, HOST }: PlatformSettings): boolean {
  return AUTH_REQUIRED ?? !isLoopback(HOST)
}

/** What is wrong with the keys that are set, without making or keeping any. Throws as `identities`. */
export async function requireKeys(settings: PlatformSettings): Promise<void> {
  const set = settings.JWT_ALGORITHM === 'EdDSA' ? settings.JWT_PRIVATE_KEY : settings.JWT_SECRET
  if (set !== undefined || !isLoopback(settings.HOST)) await keysOf(settings)
}

async function keysOf(settings: PlatformSettings): Promise<TokenKeys> {
  if (settings.JWT_ALGORITHM === 'EdDSA') {
    const variable = 'JWT_PRIVATE_KEY'
    const value = settings[variable] ?? (await ownSecret(settings, variable, 'jwt-private-key.pem', generatePrivateKey))
    return ed25519Keys({ variable, value }, ...previous('JWT_PRIVATE_KEY_PREVIOUS', settings))
  }
  const variable = 'JWT_SECRET'
  const value = settings[variable] ?? (await ownSecret(settings, variable, 'jwt-secret', newSecret))
  return hmacKeys({ variable, value }, ...previous('JWT_SECRET_PREVIOUS', settings))
}

function previous(variable: 'JWT_SECRET_PREVIOUS' | 'JWT_PRIVATE_KEY_PREVIOUS', settings: PlatformSettings) {
  const value = settings[variable]
  return value === undefined ? [] : [{ variable, value }]
}

/** A secret of this machine's own; where others can ask, somebody has to choose one that all processes share. */
function ownSecret(
  { HOST, HEADRACE_DATA }: PlatformSettings,
  variable: string,
  file: string,
  make: () => string,
): Promise<string> {
  if (isLoopback(HOST)) return keptSecret(join(HEADRACE_DATA, file), make)
  const text = `${variable} is not set: expected one where HOST ('${HOST}') is more than this machine, the same in every process`
  throw new PlatformError('INVALID_SETTING', text)
}

function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** Where no role stands on the accounts' database. */
const noTickets: StreamTickets = {
  firstUseS: 0,
  issue: () => Promise.reject(new TypeError('this process has no store for tickets')),
  redeem: async () => undefined,
}
