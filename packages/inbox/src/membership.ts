import { randomUUID } from 'node:crypto'
import { type Database, sessionAlive, type WakeUps } from '@headrace/database'
import { Bell, type OnBackgroundError, type Running, startLoop } from '@headrace/runtime'
import { Turns } from './exclusion.ts'

/** Channel on which members ring when shares should be looked at again. */
const channel = 'headrace_members'

/** Time in ms after which a member that does not show itself has lost its leases: it hangs or is cut off. */
export const leaseMs = 10_000
/** Time in ms between two signs of life. */
const heartbeatMs = 2_500
/** Longest wait in ms for the answer to one. */
const beatTimeoutMs = 5_000

/**
 * One stretch of membership: an id that owns leases, valid until its signal aborts. A term ends when its session is
 * lost or when no sign of life got through in time; leases are never carried over from one term to the next.
 */
export interface Term {
  readonly id: string
  readonly signal: AbortSignal
}

/** This process as a member of groups: one row, one session lock, one heartbeat for all subscriptions. */
export interface Membership extends AsyncDisposable {
  /** The present term, or undefined while there is none. */
  readonly term: Term | undefined
  /** One message on trial at a time in this process. */
  readonly trials: Turns
  /** Enters a subscription ("group topic"); returns what leaves it. Throws `RangeError` when it is entered already. */
  join(subscription: string): () => void
  /** Calls back when members came or went, or a term began. Returns what ends it. */
  onChange(changed: () => void): () => void
  /** Asks all members to look at their shares again. */
  ring(): void
  stop(): Promise<void>
}

export interface MembershipNeeds {
  readonly database: Database
  readonly wakeUps: WakeUps
  readonly onError: OnBackgroundError
}

/** SQL that is true for a live member; `m` is the alias of `headrace.member`. */
export const memberAlive = `m.seen_at > clock_timestamp() - interval '${leaseMs} ms' and ${sessionAlive('m.session')}`

/** Starts membership; terms begin and end by themselves. */
export function startMembership(needs: MembershipNeeds): Membership {
  return new MemberProcess(needs)
}

class MemberProcess implements Membership {
  term: Term | undefined
  readonly trials = new Turns()
  readonly #needs: MembershipNeeds
  readonly #subscriptions = new Set<string>()
  readonly #changed = new Set<() => void>()
  readonly #loop: Running
  readonly #unlisten: () => void
  readonly #joined = new Bell()
  #tell = false

  constructor(needs: MembershipNeeds) {
    this.#needs = needs
    this.#unlisten = needs.wakeUps.listen(channel, () => this.#announce())
    this.#loop = startLoop({ name: 'membership', run: (signal) => this.#live(signal), onError: needs.onError })
  }

  join(subscription: string): () => void {
    if (this.#subscriptions.has(subscription)) {
      throw new RangeError(`subscription '${subscription}': this process has joined it already`)
    }
    this.#subscriptions.add(subscription)
    this.#joined.ring()
    return () => {
      this.#subscriptions.delete(subscription)
      this.#joined.ring()
    }
  }

  onChange(changed: () => void): () => void {
    this.#changed.add(changed)
    return () => this.#changed.delete(changed)
  }

  ring(): void {
    this.#needs.wakeUps.notify(channel, '')
  }

  async stop(): Promise<void> {
    await this.#loop.stop()
    this.#unlisten()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** One term: from a session to its loss, to silence, or to the stop of this process. */
  async #live(stopping: AbortSignal): Promise<void> {
    const { wakeUps } = this.#needs
    await wakeUps.connected(stopping)
    const { session } = wakeUps
    if (session === undefined) return
    const ended = new AbortController()
    const unlost = wakeUps.onLost(() => ended.abort())
    const id = randomUUID()
    try {
      await this.#enter(id, session)
      this.term = { id, signal: ended.signal }
      this.ring()
      this.#announce()
      await this.#beat(id, AbortSignal.any([stopping, ended.signal]), ended)
    } finally {
      unlost()
      this.term = undefined
      ended.abort()
      await this.#leave(id)
    }
  }

  async #beat(id: string, signal: AbortSignal, ended: AbortController): Promise<void> {
    let seenAt = performance.now()
    while (!signal.aborted) {
      const since = performance.now()
      // Not over the pool, whose queue may be long just when signs of life matter.
      await this.#needs.wakeUps
        .query(
          {
            name: 'member.seen',
            text: `update headrace.member set seen_at = clock_timestamp(), subscriptions = $2
                 where id = $1 and seen_at > clock_timestamp() - interval '${leaseMs} ms'`,
            values: [id, [...this.#subscriptions]],
          },
          beatTimeoutMs,
        )
        .then(
          ({ rowCount }) => {
            seenAt = since
            if (this.#tell) this.ring()
            this.#tell = false
            // We were silent for too long (stopped, or cut off): others have taken our leases.
            if (rowCount === 0) ended.abort()
          },
          (error: unknown) => this.#needs.onError(error, 'membership'),
        )
      // Others may take our leases from now on, or soon: stop using them.
      if (performance.now() - seenAt > leaseMs - heartbeatMs) ended.abort()
      if (await this.#joined.wait(heartbeatMs, signal)) this.#tell = true
    }
  }

  async #enter(id: string, session: number): Promise<void> {
    await this.#needs.database.query({
      text: `with swept as (delete from headrace.member where seen_at < now() - interval '1 hour')
             insert into headrace.member (id, session, subscriptions) values ($1, $2, $3)`,
      values: [id, session, [...this.#subscriptions]],
    })
  }

  /** Without its row a member is dead to the others at once. */
  async #leave(id: string): Promise<void> {
    try {
      await this.#needs.database.query({ text: 'delete from headrace.member where id = $1', values: [id] })
      this.ring()
    } catch {
      // The time limit does it later.
    }
  }

  #announce(): void {
    for (const changed of this.#changed) changed()
  }
}
