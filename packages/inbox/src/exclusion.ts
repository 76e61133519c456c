/**
 * Lets many share, or one be alone. Whoever wants to be alone waits for those that run, and holds back new ones. Of all
 * that share `turns` one is alone at a time, so that a death of the process is put down to that one only.
 */
export class Exclusion {
  readonly #turns: Turns
  #shared = 0
  #alone = false
  #waitingAlone = 0
  readonly #waiters = new Set<() => void>()

  constructor(turns: Turns) {
    this.#turns = turns
  }

  /** Runs beside others. */
  async share<T>(action: () => Promise<T>): Promise<T> {
    while (this.#alone || this.#waitingAlone > 0) await this.#change()
    this.#shared += 1
    try {
      return await action()
    } finally {
      this.#shared -= 1
      this.#changed()
    }
  }

  /** Runs alone. */
  async alone<T>(action: () => Promise<T>): Promise<T> {
    this.#waitingAlone += 1
    while (this.#alone || this.#shared > 0) await this.#change()
    this.#waitingAlone -= 1
    this.#alone = true
    try {
      return await this.#turns.take(action)
    } finally {
      this.#alone = false
      this.#changed()
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.add(resolve))
  }

  #changed(): void {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const resolve of waiters) resolve()
  }
}

/** One at a time, in the order in which they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  take<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(action)
    this.#last = turn.catch(() => undefined)
    return turn
  }
}
