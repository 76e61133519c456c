import { sleep } from '@headrace/runtime'

/** Time in ms between two departures under load, on average. */
const paceMs = 4
/** How far in ms departures may run ahead of their pace: what comes now and then leaves at once. */
const leadMs = 100

/**
 * Lets what several partitions have leave together: at once while little happens, and under load whatever has come
 * within a few milliseconds. A request and a transaction for each message of each partition would cost the broker, the
 * database and this process many times what the message costs.
 */
export class Departures {
  #dueAt = Number.NEGATIVE_INFINITY
  #next: Promise<void> | undefined

  /** Resolves when the next departure is due, for all who wait at the same time. */
  next(): Promise<void> {
    this.#next ??= this.#wait()
    return this.#next
  }

  async #wait(): Promise<void> {
    const waitMs = this.#dueAt - performance.now()
    // At the end of this turn at the earliest, so that partitions that grew together leave together.
    await (waitMs > 0 ? sleep(Math.ceil(waitMs)) : new Promise((resolve) => setImmediate(resolve)))
    const now = performance.now()
    this.#dueAt = Math.min(Math.max(this.#dueAt, now - leadMs), now) + paceMs
    this.#next = undefined
  }
}
