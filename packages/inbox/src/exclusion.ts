/** Lets many share, or one be alone. Whoever wants to be alone waits for those that run, and holds back new ones. */
export class Exclusion {
  #shared = 0
  #alone = false
  #waitingAlone = 0
  readonly #waiters = new Set<() => void>()

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
      return await action()
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

/** At most `limit` at a time; the others wait their turn. */
export class Turns {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(limit: number) {
    this.#free = limit
  }

  async take<T>(action: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await action()
    } finally {
      const next = this.#waiting.shift()
      // A turn is handed over directly, so that none is lost and none comes twice.
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
