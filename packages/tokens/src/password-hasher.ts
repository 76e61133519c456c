import { availableParallelism } from 'node:os'
import { PlatformError } from '@headrace/runtime'
import { hash, verify } from '@node-rs/argon2'

export interface PasswordHasherOptions {
  /** Most hashes at a time; the number of cores, at most 3, unless given. Each takes 19 MiB and a thread of libuv's 4. */
  readonly concurrency?: number
  /** Most callers that wait for their turn; 128 unless given. */
  readonly maxWaiting?: number
}

/** Hashes passwords with argon2id, off the main thread, a bounded number at a time. */
export interface PasswordHasher {
  /** The hash in PHC format, with a salt of its own. Throws `TOO_MANY_REQUESTS` when too many wait already. */
  hash(password: string): Promise<string>
  /**
   * Tells whether the password is the one that was hashed. Without a hash the answer is false and takes as long, so that
   * nobody learns whether there is one. Throws `TOO_MANY_REQUESTS` when too many wait already.
   */
  verify(hash: string | undefined, password: string): Promise<boolean>
}

/** OWASP Password Storage Cheat Sheet: argon2id (the library's default) with 19 MiB, 2 passes, 1 lane. */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

const defaults = {
  concurrency: Math.min(3, availableParallelism()),
  maxWaiting: 128,
} satisfies Required<PasswordHasherOptions>

/** A hasher with turns of its own. */
export function passwordHasher(options: PasswordHasherOptions = {}): PasswordHasher {
  const turns = new Turns({ ...defaults, ...options })
  let nobodys: Promise<string> | undefined
  return {
    hash: (password) => turns.run(() => hash(password, parameters)),
    async verify(stored, password) {
      // Of no password: 128 random bits that are thrown away.
      nobodys ??= hash(crypto.randomUUID(), parameters)
      const candidate = stored ?? (await nobodys)
      const isSame = await turns.run(() => verify(candidate, password))
      return isSame && stored !== undefined
    },
  }
}

/** Lets a bounded number run and a bounded number wait, first come, first served. */
class Turns {
  readonly #limits: Required<PasswordHasherOptions>
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(limits: Required<PasswordHasherOptions>) {
    this.#limits = limits
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter()
    try {
      return await work()
    } finally {
      // Whoever waits takes over the place that is left.
      const next = this.#waiting.shift()
      if (next === undefined) this.#running -= 1
      else next()
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < this.#limits.concurrency) {
      this.#running += 1
      return
    }
    if (this.#waiting.length >= this.#limits.maxWaiting) {
      throw new PlatformError('TOO_MANY_REQUESTS', 'too many passwords are being checked: try again in a moment')
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}
