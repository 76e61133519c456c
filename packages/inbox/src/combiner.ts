import { isInfrastructureError } from '@headrace/database'
import { type BatchNeeds, commitRuns, handleRun, isFenced, rootCause } from './batch.ts'
import type { Exclusion } from './exclusion.ts'
import type { LaneRun } from './lanes.ts'

interface Waiting {
  readonly run: LaneRun
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Age in ms from which a batch counts as slow, so that another may start beside it. */
const slowMs = 10
/**
 * Time in ms from one batch that is not full to the next, on average: under load a message shares a transaction with
 * what comes within this time, which leaves the process room to accept more.
 */
const paceMs = 4
/** How far in ms batches may run ahead of their pace: what comes now and then, also in bursts, is handled at once. */
const leadMs = 100

/**
 * Handles runs of different lanes together: what has arrived while a batch was under way is the next batch. One
 * transaction instead of one a partition is what lets a single process accept and process at full speed.
 *
 * A batch starts when it is full, or else when none is under way and the pace allows it, or those under way are slow; at
 * most `concurrency` at the same time. One that fails is handled again, each lane by itself.
 */
export class Combiner {
  readonly #needs: BatchNeeds
  readonly #exclusion: Exclusion
  #waiting: Waiting[] = []
  #flights = 0
  #lastStart = Number.NEGATIVE_INFINITY
  /** When the next batch is due that keeps the pace. */
  #dueAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(needs: BatchNeeds, exclusion: Exclusion) {
    this.#needs = needs
    this.#exclusion = exclusion
  }

  /**
   * Resolves when the run was handled. Rejects with `FENCED` or an infrastructure error, as `handleRun` does. A lane has
   * one run here at a time.
   */
  submit(run: LaneRun): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ run, resolve, reject })
      // After what this turn of the event loop wakes, so that partitions that grew together are handled together.
      if (this.#waiting.length === 1) setImmediate(() => this.#start())
    })
  }

  #start(): void {
    clearTimeout(this.#timer)
    while (this.#waiting.length > 0 && this.#mayStart()) {
      const batch = this.#take()
      this.#flights += 1
      this.#lastStart = performance.now()
      this.#dueAt = Math.min(Math.max(this.#dueAt, this.#lastStart - leadMs), this.#lastStart) + paceMs
      void this.#exclusion
        .share(() => this.#handle(batch))
        .then(() => {
          this.#flights -= 1
          this.#start()
        })
    }
    const waitMs = this.#flights > 0 ? slowMs : Math.max(0, this.#dueAt - performance.now())
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#start(), waitMs)
  }

  #mayStart(): boolean {
    const { concurrency, maxMessages } = this.#needs.rules
    if (this.#flights >= concurrency) return false
    const waiting = this.#waiting.reduce((count, { run }) => count + run.messages.length, 0)
    if (waiting >= maxMessages) return true
    const now = performance.now()
    return this.#flights === 0 ? now >= this.#dueAt : now >= this.#lastStart + slowMs
  }

  /** As many runs as fit a batch, at least one. */
  #take(): Waiting[] {
    let messages = 0
    const end = this.#waiting.findIndex(({ run }, index) => {
      messages += run.messages.length
      return index > 0 && messages > this.#needs.rules.maxMessages
    })
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end)
  }

  async #handle(batch: readonly Waiting[]): Promise<void> {
    try {
      const runs = batch.map(({ run }) => run)
      await commitRuns(this.#needs, runs)
      for (const { resolve } of batch) resolve()
    } catch (error) {
      const cause = rootCause(error)
      if (isInfrastructureError(cause) || (isFenced(cause) && batch.length === 1)) {
        for (const { reject } of batch) reject(cause)
        return
      }
      // One lane is at fault, or was taken over: by itself each has its own outcome.
      for (const { run, resolve, reject } of batch) await handleRun(this.#needs, run).then(resolve, reject)
    }
  }
}
