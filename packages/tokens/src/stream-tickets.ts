import { createHash, randomBytes } from 'node:crypto'
import type { KeyValue } from '@headrace/keyvalue'
import type { TokenSubject } from './claims.ts'

export interface StreamTicketsNeeds {
  readonly keyvalue: KeyValue
  /** How long a ticket is good for from its first use on, in seconds. */
  readonly reuseS: number
}

/** Stands in for an access token where a browser cannot send one: bound to one person and one stream route. */
export interface StreamTickets {
  /** Within this time it is first used, in seconds. */
  readonly firstUseS: number
  issue(subject: TokenSubject, route: string): Promise<string>
  /** Whose the ticket for this route is; undefined when it is unknown, late or another route's. */
  redeem(ticket: string, route: string): Promise<TokenSubject | undefined>
}

/** Within this time a ticket is first used, in seconds. */
const firstUseS = 60

/** 256 random bits in base64url. */
const ticketPattern = /^[\w-]{43}$/

interface StoredTicket {
  readonly id: number
  readonly uid: string
  readonly route: string
  readonly isUsed: boolean
}

/** Tickets in the key-value store, under their digests: who reads the store cannot use them. */
export function streamTickets({ keyvalue, reuseS }: StreamTicketsNeeds): StreamTickets {
  /** The first use changes the time to live; of several at once one does, and the others find it changed. */
  async function use(key: string, written: string): Promise<StoredTicket | undefined> {
    const ticket = parse(written)
    if (ticket.isUsed) return ticket
    const used = JSON.stringify({ ...ticket, isUsed: true } satisfies StoredTicket)
    if (await keyvalue.compareAndSet(key, written, used, { ttlMs: reuseS * 1000 })) return ticket
    const now = await keyvalue.get(key)
    return now === undefined ? undefined : parse(now)
  }

  return {
    firstUseS,
    async issue({ id, uid }, route) {
      const ticket = randomBytes(32).toString('base64url')
      const stored = JSON.stringify({ id, uid, route, isUsed: false } satisfies StoredTicket)
      await keyvalue.set(keyOf(ticket), stored, { ttlMs: firstUseS * 1000 })
      return ticket
    },
    async redeem(ticket, route) {
      if (!ticketPattern.test(ticket)) return undefined
      const key = keyOf(ticket)
      const written = await keyvalue.get(key)
      // Shown at another route it is not used up, and its time does not change.
      if (written === undefined || parse(written).route !== route) return undefined
      const used = await use(key, written)
      return used && { id: used.id, uid: used.uid }
    },
  }
}

function keyOf(ticket: string): string {
  return `stream-ticket:${createHash('sha256').update(ticket).digest('base64url')}`
}

/** Written by ourselves. */
function parse(written: string): StoredTicket {
  return JSON.parse(written) as StoredTicket
}
