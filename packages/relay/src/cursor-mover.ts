import type { Database } from '@headrace/database'
import { backoffMs, type OnBackgroundError, sleep } from '@headrace/runtime'
import { type CursorMove, moveCursors, type RelayPlace } from './cursors.ts'
import { Departures } from './departures.ts'

export interface CursorMoverNeeds {
  readonly database: Database
  readonly onError: OnBackgroundError
}

interface Waiting {
  move: CursorMove
  readonly moved: Promise<boolean>
  readonly resolve: (isOurs: boolean) => void
}

/** Moves the cursors of a relay, of all partitions together. */
export class CursorMover {
  readonly #needs: CursorMoverNeeds
  readonly #place: RelayPlace
  #waiting = new Map<number, Waiting>()
  #moving: Promise<void> | undefined
  readonly #departures = new Departures()

  constructor(needs: CursorMoverNeeds, place: RelayPlace) {
    this.#needs = needs
    this.#place = place
  }

  /** Resolves when the cursor was moved this far, or to false when the lease is not ours any more. */
  move(move: CursorMove): Promise<boolean> {
    let waiting = this.#waiting.get(move.partition)
    if (waiting === undefined) {
      const { promise, resolve } = Promise.withResolvers<boolean>()
      waiting = { move, moved: promise, resolve }
      this.#waiting.set(move.partition, waiting)
    }
    waiting.move = move
    this.#moving ??= this.#run().finally(() => {
      this.#moving = undefined
    })
    return waiting.moved
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0) {
      await this.#departures.next()
      const batch = [...this.#waiting.values()]
      this.#waiting = new Map()
      const ours = await this.#moveAll(batch.map(({ move }) => move))
      for (const { move, resolve } of batch) resolve(ours.has(move.partition))
    }
  }

  /** Moving is repeatable: a lost answer or a database that is away costs time only, and lags the cursor. */
  async #moveAll(moves: readonly CursorMove[]): Promise<ReadonlySet<number>> {
    for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
      try {
        return await moveCursors(this.#needs.database, this.#place, moves)
      } catch (error) {
        this.#needs.onError(error, `relay of ${this.#place.topic} to ${this.#place.provider}`)
        await sleep(backoffMs(attempt, { baseMs: 50, maxMs: 1_000 }))
      }
    }
    return new Set()
  }
}

/** Then the leases are given up: whoever takes them publishes what was not recorded again. */
const maxAttempts = 8
