import { backoffMs, messageOf } from '@headrace/runtime'

/**
 * Modes of a breaker. `closed`: calls go through. `open`: the provider failed several times in a row and is left alone
 * for a while. `half-open`: that while is over; one call goes through and decides.
 */
export type BreakerState = 'closed' | 'open' | 'half-open'

export interface BreakerOptions {
  /** Failures in a row that open it; default 5. */
  readonly failures?: number
  /** Time in ms that it stays open at first; doubles up to `maxOpenMs`, with jitter; default 250. */
  readonly openMs?: number
  /** Default 5 000. */
  readonly maxOpenMs?: number
  readonly now?: () => number
  readonly random?: () => number
  /** Told of every change, synchronously. */
  readonly onChange?: (state: BreakerState) => void
}

export const breakerDefaults = { failures: 5, openMs: 250, maxOpenMs: 5_000 } as const

/** Keeps calls away from a provider that is away, so that each does not find it out by its own deadline. */
export class Breaker {
  lastError: { readonly text: string; readonly at: number } | undefined
  readonly #options: Required<Omit<BreakerOptions, 'onChange'>> & Pick<BreakerOptions, 'onChange'>
  #state: BreakerState = 'closed'
  #failures = 0
  /** Times in a row that it opened. */
  #openings = 0
  #openUntil = 0
  #trying = false

  constructor(options: BreakerOptions = {}) {
    this.#options = { now: Date.now, random: Math.random, ...breakerDefaults, ...options }
  }

  get state(): BreakerState {
    if (this.#state === 'open' && this.#options.now() >= this.#openUntil) this.#become('half-open')
    return this.#state
  }

  /** True while nobody may call, and while the one call is under way that decides. */
  get isAway(): boolean {
    return this.state === 'open' || this.#trying
  }

  /** Asks to make one call, whose outcome is then to be told. False: not now. */
  enter(): boolean {
    const { state } = this
    if (state === 'closed') return true
    if (state === 'open' || this.#trying) return false
    this.#trying = true
    return true
  }

  succeeded(): void {
    this.#trying = false
    this.#failures = 0
    this.#openings = 0
    this.#become('closed')
  }

  /** A call that says nothing about the provider: the next one decides. Its error is kept to be shown. */
  abandoned(error?: unknown): void {
    this.#trying = false
    if (error !== undefined) this.lastError = { text: messageOf(error), at: this.#options.now() }
  }

  failed(error: unknown): void {
    const { failures, openMs, maxOpenMs, now, random } = this.#options
    this.lastError = { text: messageOf(error), at: now() }
    this.#trying = false
    this.#failures += 1
    if (this.#state === 'closed' && this.#failures < failures) return
    if (this.#state === 'open') return
    this.#openings += 1
    // At least half of the time, so that it does leave the provider alone.
    const longest = Math.min(maxOpenMs, openMs * 2 ** (this.#openings - 1))
    this.#openUntil = now() + longest / 2 + backoffMs(1, { baseMs: longest / 2, maxMs: maxOpenMs }, random)
    this.#become('open')
  }

  #become(state: BreakerState): void {
    if (state === this.#state) return
    this.#state = state
    this.#options.onChange?.(state)
  }
}
