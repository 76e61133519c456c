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
import { type Membership, memberAlive, type Term } from './membership.ts'
import {
  type Claim,
  claimKeys,
  closeKeys,
  countQueued,
  freeOrphanedKeys,
  type QueueName,
  releaseStrays,
} from './parking-store.ts'
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
  #closing: { readonly claim: Claim; readonly term: Term }[] = []
  /** True after a claim failed whose outcome is not known: keys may be ours that nobody here works on. */
  #doubtful = false
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
      loop('closing', (signal) => this.#close(signal)),
      loop('orphans', (signal) => this.#freeOrphans(signal)),
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

  async #claim(signal: AbortSignal): Promise<void> {
    const { membership, rules } = this.#needs
    const free = rules.concurrency - this.#running.size
    const { term } = membership
    const idle = term === undefined || term.signal.aborted || this.#stopping.signal.aborted || free <= 0
    const claims = idle ? [] : await this.#claimKeys(term, free)
    if (claims.length > 0) await this.#needs.faults.at('work.after-claim')
    for (const claim of claims) if (term !== undefined) this.#running.add('parked key', this.#runKey(claim, term))
    // With all claimed there may be more; with none there is nothing until somebody rings.
    if (claims.length === 0) await this.#bell.wait(pollMs, signal)
  }

  async #claimKeys(term: Term, count: number): Promise<Claim[]> {
    const { database } = this.#needs
    if (this.#doubtful) await this.#doubting(() => this.#releaseStrays(term))
    const claims = await this.#doubting(() => claimKeys(database, this.#queue, term.id, count))
    for (const claim of claims) this.#held.add(claim)
    return claims
  }

  #releaseStrays(term: Term): Promise<void> {
    this.#doubtful = false
    const held = [...this.#held].filter(({ owner }) => owner === term.id)
    return releaseStrays(
      this.#needs.database,
      this.#queue,
      term.id,
      held.map(({ key }) => key),
    )
  }

  async #doubting<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      this.#doubtful = true
      throw error
    }
  }

  /** Closes what can be closed and gives back the rest, so that nothing waits for a member that does not work on it. */
  async #letGo(): Promise<void> {
    try {
      await this.#closeGathered()
    } finally {
      const { term } = this.#needs.membership
      this.#held.clear()
      if (term !== undefined) await this.#releaseStrays(term)
    }
  }

  /** Runs one key until it is empty, given back or lost; a database that is away only takes time. */
  async #runKey(claim: Claim, term: Term): Promise<void> {
    const run = new KeyRun({ ...this.#needs, counted: this.#counted }, claim, {
      stopping: this.#stopping.signal,
      aborting: AbortSignal.any([this.#aborting.signal, term.signal]),
    })
    try {
      if ((await this.#doubting(() => this.#advance(run, claim, term))) === 'empty') this.#closing.push({ claim, term })
      else this.#held.delete(claim)
    } catch (error) {
      this.#held.delete(claim)
      throw error
    } finally {
      // Room for another key.
      queueMicrotask(() => this.#bell.ring())
    }
  }

  async #advance(run: KeyRun, claim: Claim, term: Term): Promise<'empty' | 'released'> {
    while (!term.signal.aborted) {
      try {
        return await run.advance()
      } catch (error) {
        // Only the messages may be gone, not the claim.
        if (isFenced(error)) return await run.giveBack(0)
        this.#needs.onError(error, `parked key of ${claim.group}`)
        if (!isInfrastructureError(error)) return await run.giveBack(1_000)
        await sleep(250, term.signal)
      }
    }
    // The term is over and the process lives: nothing died here. Others may have the key already.
    return run.giveBack(0).catch(() => 'released')
  }

  async #close(signal: AbortSignal): Promise<void> {
    await sleep(closeMs, signal)
    await this.#closeGathered()
  }

  /** Closes idle keys together, apart from everything else: it locks keys that batches may be queueing behind. */
  async #closeGathered(): Promise<void> {
    const { term } = this.#needs.membership
    const mine = this.#closing.filter((entry) => entry.term === term)
    for (const entry of this.#closing) if (entry.term !== term) this.#held.delete(entry.claim)
    this.#closing = []
    if (mine.length === 0) return
    try {
      await this.#needs.faults.at('close.before-commit')
      const claims = mine.map(({ claim }) => claim)
      const { closed, open } = await this.#needs.database.inTransaction((tx) => closeKeys(tx, claims))
      if (open.length > 0) this.#bell.ring()
      const done = new Set([...closed, ...open])
      for (const { claim } of mine) if (done.has(claim.key)) this.#held.delete(claim)
      this.#closing.push(...mine.filter(({ claim }) => !done.has(claim.key)))
    } catch (error) {
      // Whether they are closed is not known: those that are not come back as strays.
      for (const { claim } of mine) this.#held.delete(claim)
      this.#doubtful = true
      throw error
    }
  }

  async #freeOrphans(signal: AbortSignal): Promise<void> {
    await sleep(1_000, signal)
    if (signal.aborted) return
    const freed = await freeOrphanedKeys(this.#needs.database, this.#queue, memberAlive)
    if (freed > 0) this.#bell.ring()
  }
}
