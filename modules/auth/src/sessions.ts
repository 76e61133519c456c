import { createHash, randomBytes } from 'node:crypto'
import type { KeyValue } from '@headrace/keyvalue'
import type { TokenSubject } from '@headrace/tokens'

export interface SessionsNeeds {
  readonly keyvalue: KeyValue
  /** How long a refresh token is good for, in seconds. */
  readonly refreshTtlS: number
  /** How long a session lasts at most, in seconds. */
  readonly sessionTtlS: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Told of a spent refresh token that came again. */
  readonly onReuse: (subject: TokenSubject) => void
}

/** A refresh token and how long it is good for. */
export interface RefreshToken {
  readonly token: string
  readonly expiresInS: number
}

export interface Refreshed extends RefreshToken {
  readonly subject: TokenSubject
}

/**
 * Sessions: a family of refresh tokens, of which the latest is good. A token is `<family>.<random>`; what is stored,
 * under the family's digest, is the digest of the latest one. So one exchange of that value spends a token, and whoever
 * comes with another token of the family has a spent one: then the session ends, for its thief and its owner alike.
 */
export interface Sessions {
  open(subject: TokenSubject): Promise<RefreshToken>
  /** The next token; undefined when this one is unknown, expired, revoked or spent. */
  refresh(token: string): Promise<Refreshed | undefined>
  /** Ends the session of a token, spent or not. */
  close(token: string): Promise<void>
}

interface StoredSession extends TokenSubject {
  /** Digest of the one token that is good. */
  readonly current: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
}

/** 128 random bits that name the family, 256 that make the token. */
const tokenPattern = /^([\w-]{22})\.[\w-]{43}$/

/** Sessions in the key-value store. */
export function sessions(needs: SessionsNeeds): Sessions {
  const { keyvalue, refreshTtlS, sessionTtlS, now, onReuse } = needs

  /** Seconds for which a token made now is good. */
  function secondsLeft(startedAt: number): number {
    return Math.min(refreshTtlS, Math.floor((startedAt - now()) / 1000) + sessionTtlS)
  }

  return {
    async open({ id, uid }) {
      const family = randomBytes(16).toString('base64url')
      const token = nextToken(family)
      const startedAt = now()
      const expiresInS = secondsLeft(startedAt)
      const stored: StoredSession = { id, uid, current: digest(token), startedAt }
      await keyvalue.set(keyOf(family), JSON.stringify(stored), { ttlMs: expiresInS * 1000 })
      return { token, expiresInS }
    },

    async refresh(token) {
      const family = tokenPattern.exec(token)?.[1]
      const written = family === undefined ? undefined : await keyvalue.get(keyOf(family))
      if (family === undefined || written === undefined) return undefined
      // Written by ourselves.
      const session = JSON.parse(written) as StoredSession
      const subject = { id: session.id, uid: session.uid }
      const next = nextToken(family)
      const expiresInS = secondsLeft(session.startedAt)
      const isLatest = session.current === digest(token)
      if (isLatest && expiresInS >= 1) {
        const renewed = JSON.stringify({ ...session, current: digest(next) } satisfies StoredSession)
        const ttl = { ttlMs: expiresInS * 1000 }
        if (await keyvalue.compareAndSet(keyOf(family), written, renewed, ttl))
          return { subject, token: next, expiresInS }
      }
      // Spent before, or this very moment by somebody else.
      const existed = await keyvalue.delete(keyOf(family))
      if (existed && expiresInS >= 1) onReuse(subject)
      return undefined
    },

    async close(token) {
      const family = tokenPattern.exec(token)?.[1]
      if (family !== undefined) await keyvalue.delete(keyOf(family))
    },
  }
}

function nextToken(family: string): string {
  return `${family}.${randomBytes(32).toString('base64url')}`
}

function keyOf(family: string): string {
  return `session:${digest(family)}`
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
