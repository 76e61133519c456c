import type { Queryable } from '@headrace/database'
import { type OnBackgroundError, sleep } from '@headrace/runtime'
import { cursorPositions } from './cursors.ts'

/** Where a message stands in this database's log. */
export interface LogPlace {
  readonly partition: number
  readonly offset: number
}

interface Waiter {
  readonly topic: string
  readonly places: readonly LogPlace[]
  readonly wake: () => void
}

/** Pause in ms between two looks at the cursors of other processes, while somebody waits. */
const lookMs = 20

/**
 * Knows how far providers are: from the relays of this process at once, from those of others by looking at their
 * cursors while somebody waits.
 */
export class Confirmations {
  readonly #database: Queryable
  readonly #onError: OnBackgroundError
  /** By provider, topic and partition. */
  readonly #positions = new Map<string, number>()
  readonly #waiters = new Set<Waiter>()
  #looking: Promise<void> | undefined

  constructor(database: Queryable, onError: OnBackgroundError) {
    this.#database = database
    this.#onError = onError
  }

  confirmed(provider: string, topic: string, partition: number, position: number): void {
    const name = `${provider} ${topic} ${partition}`
    if (position <= (this.#positions.get(name) ?? -1)) return
    this.#positions.set(name, position)
    for (const waiter of this.#waiters) {
      if (waiter.topic === topic && waiter.places.some((place) => place.partition === partition)) waiter.wake()
    }
  }

  /** Those of the providers that do not have all of these messages yet. */
  missing(topic: string, places: readonly LogPlace[], providers: readonly string[]): string[] {
    const has = (provider: string, { partition, offset }: LogPlace) =>
      (this.#positions.get(`${provider} ${topic} ${partition}`) ?? -1) >= offset
    return providers.filter((provider) => !places.every((place) => has(provider, place)))
  }

  /** Waits until `isEnough` says so of what is missing, or the signal aborts; returns what is missing then. */
  async wait(
    request: { readonly topic: string; readonly places: readonly LogPlace[]; readonly providers: readonly string[] },
    isEnough: (missing: readonly string[]) => boolean,
    signal: AbortSignal,
  ): Promise<string[]> {
    const { topic, places, providers } = request
    let missing = this.missing(topic, places, providers)
    while (!isEnough(missing) && !signal.aborted) {
      await this.#change(topic, places, signal)
      missing = this.missing(topic, places, providers)
    }
    return missing
  }

  #change(topic: string, places: readonly LogPlace[], signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiters.delete(waiter)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const waiter = { topic, places, wake }
      this.#waiters.add(waiter)
      signal.addEventListener('abort', wake, { once: true })
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined
      })
    })
  }

  async #look(): Promise<void> {
    while (this.#waiters.size > 0) {
      await sleep(lookMs)
      for (const topic of new Set([...this.#waiters].map((waiter) => waiter.topic))) await this.#ask(topic)
    }
  }

  async #ask(topic: string): Promise<void> {
    try {
      for (const { provider, partition, position } of await cursorPositions(this.#database, topic)) {
        this.confirmed(provider, topic, partition, position)
      }
    } catch (error) {
      this.#onError(error, `confirmations of ${topic}`)
      await sleep(10 * lookMs)
    }
  }
}
