import { setTimeout as delay } from 'node:timers/promises'

/** Waits `ms` milliseconds; resolves early, without throwing, when the signal aborts. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    if (!signal?.aborted) throw error
  }
}

/** Waits for `work`, but not longer than the signal allows: undefined then. What the work comes to is not told any more. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  work.catch(() => undefined)
  if (signal.aborted) return undefined
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const abort = () => resolve(undefined)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

export interface BackoffOptions {
  /** Longest wait before the second attempt, in ms. */
  readonly baseMs: number
  /** Longest wait before any attempt, in ms. */
  readonly maxMs: number
}

/**
 * Exponential backoff with full jitter: a time in ms drawn evenly from 0 to min(maxMs, baseMs · 2^(attempt − 1)).
 * (M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog.)
 */
export function backoffMs(attempt: number, options: BackoffOptions, random: () => number = Math.random): number {
  const ceiling = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt - 1, 30))
  return Math.floor(random() * (ceiling + 1))
}

/** A wake-up that is never lost: a ring that comes while nobody waits is remembered once. */
export class Bell {
  #rung = false
  #wake: (() => void) | undefined

  /** Wakes whoever waits, or the next one who would. */
  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  /** Waits for a ring, at most `timeoutMs`, or until the signal aborts. Tells whether it rang. */
  async wait(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (!this.#rung && !signal?.aborted) await this.#next(timeoutMs, signal)
    const rang = this.#rung
    this.#rung = false
    return rang
  }

  #next(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        this.#wake = undefined
        resolve()
      }
      const timer = setTimeout(done, timeoutMs)
      signal?.addEventListener('abort', done, { once: true })
      this.#wake = done
    })
  }
}

/** Tells, for each name by itself, whether `everyMs` have passed since it last said so: for what would be told in crowds. */
export function atMostEvery(everyMs: number): (name: string) => boolean {
  const lastAt = new Map<string, number>()
  return (name) => {
    const now = performance.now()
    const isDue = now - (lastAt.get(name) ?? Number.NEGATIVE_INFINITY) >= everyMs
    if (isDue) lastAt.set(name, now)
    return isDue
  }
}
