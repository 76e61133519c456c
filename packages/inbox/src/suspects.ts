import { type BatchNeeds, handleOnTrial } from './batch.ts'
import type { Combiner } from './combiner.ts'
import type { Exclusion } from './exclusion.ts'
import { type Lane, type LaneRun, wholeBatch } from './lanes.ts'

export interface SuspectsNeeds extends BatchNeeds {
  readonly combiner: Combiner
  readonly exclusion: Exclusion
}

/** Messages that run one by one after an owner died with a batch on trial, to find the one that killed it. */
const trialMessages = 256

/**
 * Handles what a partition's lanes take: together with other partitions, unless a lane's owner died. Then its next batch
 * runs alone, on record; where the process dies with that, the next owner runs the lane's messages one by one, on record.
 */
export class Suspects {
  readonly #needs: SuspectsNeeds
  readonly #signal: AbortSignal
  readonly #suspects = new Map<Lane, 'batch' | { left: number }>()

  constructor(needs: SuspectsNeeds, signal: AbortSignal) {
    this.#needs = needs
    this.#signal = signal
  }

  /** The owner of this lane died with it. */
  add(lane: Lane): void {
    this.#suspects.set(lane, lane.trialId === undefined ? 'batch' : { left: trialMessages })
  }

  async handle(run: LaneRun): Promise<void> {
    const { combiner, exclusion } = this.#needs
    const suspect = this.#suspects.get(run.lane)
    if (suspect === undefined) return combiner.submit(run)
    if (suspect !== 'batch') return this.#handleSingly(run, suspect)
    const [first] = run.messages
    const id = run.messages.length === 1 && first !== undefined ? first.id : wholeBatch
    await exclusion.alone(() => handleOnTrial(this.#needs, run, { id, carried: 0 }))
    this.#suspects.delete(run.lane)
  }

  async #handleSingly(batch: LaneRun, suspect: { left: number }): Promise<void> {
    const { lane, messages } = batch
    for (const message of messages.filter(({ spot }) => spot.offset > lane.position)) {
      if (this.#signal.aborted) return
      const run = { ...batch, messages: [message], move: undefined }
      await this.#needs.exclusion.alone(() => handleOnTrial(this.#needs, run, { id: message.id, carried: 1 }))
      suspect.left -= 1
    }
    if (suspect.left <= 0) this.#suspects.delete(lane)
  }
}
