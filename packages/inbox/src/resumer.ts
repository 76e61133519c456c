import { type Database, isInfrastructureError } from '@headrace/database'
import type { Log } from '@headrace/log'
import {
  type BackgroundSet,
  Bell,
  backgroundSet,
  type FaultPoints,
  type OnBackgroundError,
  type Running,
  sleep,
  startLoop,
} from '@headrace/runtime'
import { isFenced } from './batch.ts'
import type { Exclusion } from './exclusion.ts'
import { KeyRun } from './key-run.ts'
import type { Membership, Term } from './membership.ts'
import { type Claim, claimKeys, closeKeys, countQueued, freeKeys, type QueueName } from './parking-store.ts'
import type { Rules } from './rules.ts'
import type { ConsumerEvents } from './types.ts'

export interface ResumerNeeds {
  readonly database: Database
  readonly log: Log
  readonly membership: Membership
  readonly rules: Rules
  readonly events: ConsumerEvents
  readonly faults: FaultPoints
  /** What is suspected of killing its process runs alone. */
  readonly exclusion: Exclusion
  readonly onError: OnBackgroundError
}

/** Poll in ms for keys that became due, here or by another process. */
const pollMs = 500
/** First such poll in ms after a key was given back: it may be due again soon. */
const retryMs = 25
/** Pause in ms between two looks for keys that nobody works on. */
const freeMs = 1_000
/** Pause in ms in which keys to close are gathered. */
const closeMs = 20
/** Time in ms that work gets to finish when the process stops. */
const graceMs = 5_000

/**
 * Runs what waits: parked messages whose time has come, and the messages of `work`. Claims keys, runs the messages of
 * each in order, closes keys that are done. Keys of members that died come back.
 */
export class Resumer implements AsyncDisposable {
  readonly #needs: ResumerNeeds
  readonly #queue: QueueName
  readonly #bell = new Bell()
  readonly #running: BackgroundSet
  readonly #loops: readonly Running[]
  readonly #stopping = new AbortController()
  readonly #aborting = new AbortController()
  /** From the claim until the key is closed or given back. */
  readonly #held = new Set<Claim>()
  readonly #counted = new Set<number>()
  readonly #toClose = new Bell()
  #closing: Claim[] = []
  #freedAt = Number.NEGATIVE_INFINITY
  /** True while keys may be due that were not claimed for want of room. */
  #isMore = false
  #givenBack = false
  #queued = 0
  #countedAt = Number.NEGATIVE_INFINITY
  #counting: Promise<void> | undefined

  constructor(needs: ResumerNeeds) {
    const { rules, onError } = needs
    this.#needs = needs
    this.#queue = { group: rules.group, topic: rules.topic }
    this.#running = backgroundSet(onError)
    const loop = (name: string, run: (signal: AbortSignal) => Promise<void>) =>
      startLoop({ name: `${name} of ${rules.group}`, run, onError })
    this.#loops = [
      loop('parked keys', (signal) => this.#claim(signal)),
      loop('closing', (signal) => this.#closeIdle(signal)),
    ]
  }

  /** Says that messages were queued, so that nobody waits for the poll. */
  queued(count: number): void {
    this.#queued += count
    this.#bell.ring()
  }

  /** Resolves when the queue has room for a batch: beyond `maxReady` the backlog stays in the log. */
  async room(signal: AbortSignal): Promise<void> {
    const { database, rules } = this.#needs
    while (!signal.aborted) {
      if (this.#queued < rules.maxReady && performance.now() - this.#countedAt < pollMs) return
      // All partitions wait for the same count.
      this.#counting ??= countQueued(database, this.#queue, rules.maxReady)
        .then((count) => {
          this.#queued = count
          this.#countedAt = performance.now()
        })
        .finally(() => {
          this.#counting = undefined
        })
      await this.#counting
      if (this.#queued >= rules.maxReady) await sleep(pollMs / 2, signal)
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    const deadline = setTimeout(() => this.#aborting.abort(), graceMs)
    await Promise.all(this.#loops.map((loop) => loop.stop()))
    await this.#running.settled()
    clearTimeout(deadline)
    await this.#letGo().catch((error: unknown) => this.#needs.onError(error, `parked keys of ${this.#queue.group}`))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** One pass: frees now and then, and claims what is due. Never both at a time: what is claimed here is then held. */
  async #claim(signal: AbortSignal): Promise<void> {
    if (performance.now() - this.#freedAt > freeMs) await this.#free()
    const { term } = this.#needs.membership
    const free = this.#needs.rules.concurrency - this.#running.size
    const mayClaim = term !== undefined && !term.signal.aborted && !this.#stopping.signal.aborted && free > 0
    const claims = mayClaim ? await this.#claimKeys(term, free) : []
    // Otherwise there is nothing until somebody rings.
    this.#isMore = claims.length >= free
    if (this.#isMore && free > 0) return
    const waitMs = this.#givenBack ? retryMs : pollMs
    this.#givenBack = false
    await this.#bell.wait(waitMs, signal)
  }

  async #claimKeys(term: Term, count: number): Promise<readonly Claim[]> {
    const claims = await claimKeys(this.#needs.database, this.#queue, term.id, count)
    for (const claim of claims) this.#held.add(claim)
    if (claims.length > 0) await this.#needs.faults.at('work.after-claim')
    for (const claim of claims) this.#running.add('parked key', this.#runKey(claim, term))
    return claims
  }

  /** Gives back what nobody works on: keys of members that died, and claims and releases of ours without an answer. */
  async #free(): Promise<void> {
    const owner = this.#needs.membership.term?.id
    const held = [...this.#held].filter((claim) => claim.owner === owner).map(({ key }) => key)
    await freeKeys(this.#needs.database, this.#queue, { owner, held })
    this.#freedAt = performance.now()
  }

  /** Closes what can be closed and gives back the rest, so that nothing waits for a member that does not work on it. */
  async #letGo(): Promise<void> {
    await this.#closeGathered().catch(() => undefined)
    this.#held.clear()
    await this.#free()
  }

  /** Runs one key until it is empty, given back or lost. */
  async #runKey(claim: Claim, term: Term): Promise<void> {
    const run = new KeyRun({ ...this.#needs, counted: this.#counted }, claim, {
      stopping: this.#stopping.signal,
      aborting: AbortSignal.any([this.#aborting.signal, term.signal]),
    })
    let end: 'empty' | 'released' | undefined
    try {
      end = await run.run().catch((error: unknown) => run.giveBack(this.#pauseAfter(error)))
    } finally {
      if (end === 'empty') this.#close(claim)
      else {
        // Also when it was given back without an answer: then it is freed with the next look.
        this.#held.delete(claim)
        this.#isMore = true
        this.#givenBack = true
      }
      // There is room for another key.
      if (this.#isMore) queueMicrotask(() => this.#bell.ring())
    }
  }

  /** How long in ms a key waits after an error that is no message's fault. */
  #pauseAfter(error: unknown): number {
    // Only the messages may be gone, not the claim.
    if (isFenced(error)) return 0
    this.#needs.onError(error, `parked key of ${this.#queue.group}`)
    return isInfrastructureError(error) ? 250 : 1_000
  }

  #close(claim: Claim): void {
    this.#closing.push(claim)
    this.#toClose.ring()
  }

  async #closeIdle(signal: AbortSignal): Promise<void> {
    if (!(await this.#toClose.wait(pollMs, signal))) return
    await this.#closeGathered()
    await sleep(closeMs, signal)
  }

  /** Closes idle keys together, apart from everything else: it locks keys that batches may be queueing behind. */
  async #closeGathered(): Promise<void> {
    const owner = this.#needs.membership.term?.id
    const claims = this.#closing.filter((claim) => claim.owner === owner)
    for (const claim of this.#closing) if (claim.owner !== owner) this.#held.delete(claim)
    this.#closing = []
    if (claims.length === 0) return
    try {
      await this.#needs.faults.at('close.before-commit')
      const { closed, open } = await this.#needs.database.inTransaction((tx) => closeKeys(tx, claims))
      if (open.length > 0) this.#bell.ring()
      const done = new Set([...closed, ...open])
      for (const claim of claims) {
        if (done.has(claim.key)) this.#held.delete(claim)
        else this.#close(claim)
      }
    } catch (error) {
      // Whether they are closed is not known: those that are not are freed with the next look.
      for (const claim of claims) this.#held.delete(claim)
      throw error
    }
  }
}
