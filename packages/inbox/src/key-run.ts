import { isInfrastructureError, type Queryable } from '@headrace/database'
import { messageOf, PlatformError } from '@headrace/runtime'
import { isBlameless, killed, maxTrials, rootCause } from './batch.ts'
import {
  type Claim,
  countTrial,
  deleteParked,
  headsAtOnce,
  holdClaim,
  type ParkedMessage,
  recordFailure,
  releaseKey,
} from './parking-store.ts'
import type { ResumerNeeds } from './resumer.ts'
import type { Effect } from './types.ts'

export interface KeyRunNeeds extends ResumerNeeds {
  /** Heads whose trial this process has committed and not ended: it runs them again without another, for it lives. */
  readonly counted: Set<number>
}

export interface KeyRunSignals {
  /** Finish the message at hand and give the key back. */
  readonly stopping: AbortSignal
  /** Give up the message at hand, too. */
  readonly aborting: AbortSignal
}

interface Finished {
  readonly message: ParkedMessage
  readonly effect: Effect | undefined
}

/** Time in ms after which finished work is recorded, though more of the same key is at hand. */
const recordMs = 25

/** One claimed key being worked on: its messages in order, each recorded before the next is lost sight of. */
export class KeyRun {
  readonly #needs: KeyRunNeeds
  readonly #claim: Claim
  readonly #signals: KeyRunSignals
  /** Whether the head's trial is of this process, which lives: it is no death. */
  readonly #isOwnTrial: boolean
  #settledCount = 0

  constructor(needs: KeyRunNeeds, claim: Claim, signals: KeyRunSignals) {
    this.#needs = needs
    this.#claim = claim
    this.#signals = signals
    const [head] = claim.heads
    this.#isOwnTrial = head !== undefined && head.trials > 0 && needs.counted.has(head.seq)
    // The claim itself has committed the first trial.
    if (head?.trials === 0) needs.counted.add(head.seq)
  }

  /**
   * Runs the key's messages until they are done: `empty` as far as is known, or `released`, given back with more to do
   * later. Throws `FENCED` when the claim was lost, and infrastructure errors; the key is then to be given back.
   */
  async run(): Promise<'empty' | 'released'> {
    const { heads } = this.#claim
    const [head] = heads
    if (head === undefined) return 'empty'
    if (!this.#signals.stopping.aborted && (await this.#runHeads(heads, head)) === 'released') return 'released'
    return this.#settledCount < heads.length || heads.length === headsAtOnce ? this.giveBack(0) : 'empty'
  }

  /** Gives the key back, to run again after a wait in ms; a trial of its head is taken back, for the process lives. */
  async giveBack(waitMs: number): Promise<'released'> {
    const [head] = this.#claim.heads
    const trialSeq = head !== undefined && this.#needs.counted.has(head.seq) ? head.seq : undefined
    await releaseKey(this.#needs.database, this.#claim, { state: 'ready', waitMs, trialSeq })
    if (head !== undefined) this.#needs.counted.delete(head.seq)
    return 'released'
  }

  /**
   * Runs the heads beside others, unless a process died with the first one: then that one runs alone, and only then
   * counts, so that whoever merely waits or runs beside a killer is not taken for it.
   */
  #runHeads(heads: readonly ParkedMessage[], head: ParkedMessage): Promise<'done' | 'released'> {
    const { database, rules, exclusion, counted } = this.#needs
    const deaths = head.trials - (this.#isOwnTrial ? 1 : 0)
    if (deaths >= maxTrials) return this.#fail(head, killed(deaths))
    const run = (messages: readonly ParkedMessage[]) => (rules.isWork ? this.#work(messages) : this.#handle(messages))
    if (deaths === 0) return exclusion.share(() => run(heads))
    return exclusion.alone(async () => {
      if (!this.#isOwnTrial) await countTrial(database, head.seq)
      counted.add(head.seq)
      return run([head])
    })
  }

  /** As in a batch: all together, or else the head alone. */
  async #handle(messages: readonly ParkedMessage[]): Promise<'done' | 'released'> {
    const { rules, events, faults, log } = this.#needs
    try {
      await faults.at('resume.after-claim')
      await log.inTransaction(async (tx) => {
        await this.#take(tx, messages)
        await rules.handle?.(tx, messages)
        await faults.at('resume.before-commit')
      })
    } catch (error) {
      if (isBlameless(error)) throw rootCause(error)
      const [head] = messages
      if (head === undefined) return 'done'
      return messages.length > 1 ? this.#handle([head]) : this.#fail(head, error)
    }
    this.#settled(messages)
    await faults.at('resume.after-commit')
    events.handled?.(messages.length)
    return 'done'
  }

  /** Works through messages in order; what is finished is recorded together, soon. */
  async #work(messages: readonly ParkedMessage[]): Promise<'done' | 'released'> {
    let finished: Finished[] = []
    let since = performance.now()
    for (const message of messages) {
      if (this.#signals.stopping.aborted || this.#signals.aborting.aborted) break
      try {
        finished.push({ message, effect: await this.#workOn(message) })
      } catch (error) {
        if ((await this.#record(finished)) === 'released') return 'released'
        // Our own packages wrap what is away; a raw socket error is the work's own, and an attempt.
        const isOurs = error instanceof PlatformError && isInfrastructureError(error)
        if (this.#signals.aborting.aborted || isOurs) throw error
        return this.#fail(message, error)
      }
      if (performance.now() - since < recordMs) continue
      if ((await this.#record(finished)) === 'released') return 'released'
      finished = []
      since = performance.now()
    }
    return this.#record(finished)
  }

  async #workOn(message: ParkedMessage): Promise<Effect | undefined> {
    const { rules, faults } = this.#needs
    const { aborting } = this.#signals
    aborting.throwIfAborted()
    const giving = new AbortController()
    const gaveUp = Promise.withResolvers<never>()
    const giveUp = (reason: string) => {
      giving.abort()
      gaveUp.reject(new Error(reason))
    }
    const stop = () => giveUp('the process stops')
    aborting.addEventListener('abort', stop, { once: true })
    const timer = setTimeout(giveUp, rules.workTimeoutMs, `the work did not finish within ${rules.workTimeoutMs} ms`)
    try {
      const effect = await Promise.race([rules.work?.(message, { signal: giving.signal }), gaveUp.promise])
      await faults.at('work.after-run')
      return effect
    } finally {
      clearTimeout(timer)
      aborting.removeEventListener('abort', stop)
    }
  }

  /** Commits results and completion together; an effect that cannot be recorded is a failure of its message. */
  async #record(finished: readonly Finished[]): Promise<'done' | 'released'> {
    const [first] = finished
    if (first === undefined) return 'done'
    try {
      await this.#commitEffects(finished)
      return 'done'
    } catch (error) {
      if (isBlameless(error)) throw error
      if (finished.length === 1) return this.#fail(first.message, error)
    }
    for (const each of finished) if ((await this.#record([each])) === 'released') return 'released'
    return 'done'
  }

  async #commitEffects(finished: readonly Finished[]): Promise<void> {
    const { log, events, faults } = this.#needs
    await log.inTransaction(async (tx) => {
      await this.#take(
        tx,
        finished.map(({ message }) => message),
      )
      for (const { effect } of finished) await effect?.(tx)
    })
    this.#settled(finished.map(({ message }) => message))
    await faults.at('work.after-commit')
    events.handled?.(finished.length)
  }

  /** Records a failed attempt: the key waits, blocks, or goes on without this message. */
  async #fail(message: ParkedMessage, error: unknown): Promise<'done' | 'released'> {
    const { database, rules, events } = this.#needs
    const attempts = message.attempt
    const verdict = rules.judge(error, attempts)
    const { state, code, cause, keyState, waitMs } = verdict
    await database.inTransaction(async (tx) => {
      this.#require(await holdClaim(tx, this.#claim))
      await recordFailure(tx, message.seq, { state, attempts, code, error: messageOf(cause) })
      if (keyState !== 'free') await releaseKey(tx, this.#claim, { state: keyState, waitMs })
    })
    this.#settled([message])
    if (state === 'dead') events.died?.(message, code)
    else events.failed?.(message, cause)
    return keyState === 'free' ? 'done' : 'released'
  }

  #settled(messages: readonly ParkedMessage[]): void {
    for (const { seq } of messages) this.#needs.counted.delete(seq)
    this.#settledCount += messages.length
  }

  /**
   * Takes messages out of the queue, in one flight. One that is no longer there was dropped, or done by an earlier
   * transaction whose answer was lost and that committed meanwhile: then the key is read again.
   */
  async #take(tx: Queryable, messages: readonly ParkedMessage[]): Promise<void> {
    const holding = holdClaim(tx, this.#claim)
    const [held, taken] = await Promise.all([
      holding,
      deleteParked(
        tx,
        messages.map(({ seq }) => seq),
      ),
    ])
    this.#require(held && taken === messages.length)
  }

  #require(held: boolean): void {
    if (held) return
    const { group, topic, key, claim } = this.#claim
    throw new PlatformError(
      'FENCED',
      `key '${key}' of ${group} ${topic} or its messages were taken after claim ${claim}`,
    )
  }
}
