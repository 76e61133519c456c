import { PlatformError } from '@headrace/runtime'
import { isInfrastructureError } from './errors.ts'
import type { Database, Transaction } from './types.ts'

export interface GatherOptions<Item> {
  readonly database: Pick<Database, 'inTransaction'>
  /**
   * Writes all items of one transaction without waiting for anything but its own statements: collects, or sends plain
   * inserts that should not conflict. When it fails, each item is tried in a transaction of its own.
   */
  readonly write: (tx: Transaction, items: readonly Item[]) => void | Promise<void>
  /** Most items in one transaction; default 512. */
  readonly maxItems?: number
  /**
   * Size of an item in bytes, by which a transaction is bounded to 8 MiB and what waits to 128 MiB; without it only the
   * numbers bound them.
   */
  readonly bytesOf?: (item: Item) => number
  /** Most items waiting; beyond it `submit` throws `QUEUE_FULL`. Default 10 000. */
  readonly maxWaiting?: number
  /**
   * Transactions in flight at once; default 1: what arrives meanwhile is the next batch. A further one leaves once as many
   * items wait as are under way: many small transactions cost more than they gain.
   */
  readonly flights?: number
  /** Passed just before a gathered transaction starts and just after it committed (fault points). */
  readonly onStep?: (step: 'before' | 'after') => void | Promise<void>
}

/**
 * Commits together what arrives while a commit is in flight. There is no timer: idle latency is one commit, and under
 * load a batch is what arrived meanwhile.
 */
export interface Gather<Item> {
  /**
   * Resolves when the item is committed. Rejects with `QUEUE_FULL` before anything was done, with the item's own error,
   * or with `DATABASE_UNAVAILABLE` (not committed) or `COMMIT_UNKNOWN`.
   */
  submit(item: Item): Promise<void>
  /** Items that wait or are being committed. */
  readonly pending: number
  /** Resolves when nothing is pending; to be called once nobody submits any more. */
  drain(): Promise<void>
}

/** Most bytes of items in one transaction, and of those that wait. */
const maxTransactionBytes = 8 * 1024 * 1024
const maxWaitingBytes = 128 * 1024 * 1024

interface Waiting<Item> {
  readonly item: Item
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Makes a gather; see `Gather`. */
export function gather<Item>(options: GatherOptions<Item>): Gather<Item> {
  return new Gathering(options)
}

class Gathering<Item> implements Gather<Item> {
  readonly #options: GatherOptions<Item>
  readonly #maxItems: number
  readonly #maxWaiting: number
  readonly #flights: number
  readonly #waiting: Waiting<Item>[] = []
  #waitingBytes = 0
  #inFlight = 0
  #committing = 0
  #boarding: NodeJS.Immediate | undefined
  #idle: (() => void)[] = []

  constructor(options: GatherOptions<Item>) {
    this.#options = options
    this.#maxItems = options.maxItems ?? 512
    this.#maxWaiting = options.maxWaiting ?? 10_000
    this.#flights = options.flights ?? 1
  }

  get pending(): number {
    return this.#waiting.length + this.#committing
  }

  submit(item: Item): Promise<void> {
    const bytes = this.#options.bytesOf?.(item) ?? 0
    if (this.#waiting.length >= this.#maxWaiting || !this.#hasMemoryFor(bytes)) {
      const message = `${this.#waiting.length} requests already wait to be committed`
      return Promise.reject(new PlatformError('QUEUE_FULL', message))
    }
    this.#waitingBytes += bytes
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, bytes, resolve, reject })
      // At the end of this turn, so that requests parsed from one read share a transaction.
      if (this.#isWorthAFlight()) this.#boarding ??= setImmediate(() => this.#takeOff())
    })
  }

  drain(): Promise<void> {
    if (this.pending === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** Also for one that is larger than all of it, while nothing else waits. */
  #hasMemoryFor(bytes: number): boolean {
    return this.#waitingBytes === 0 || this.#waitingBytes + bytes <= maxWaitingBytes
  }

  #isWorthAFlight(): boolean {
    const { length } = this.#waiting
    return length > 0 && this.#inFlight < this.#flights && length >= this.#committing
  }

  #takeOff(): void {
    this.#boarding = undefined
    while (this.#isWorthAFlight()) {
      const batch = this.#waiting.splice(0, this.#fitting())
      for (const { bytes } of batch) this.#waitingBytes -= bytes
      this.#inFlight += 1
      this.#committing += batch.length
      void this.#fly(batch).finally(() => this.#land(batch.length))
    }
  }

  /** How many of those that wait fit one transaction; at least one. */
  #fitting(): number {
    const most = Math.min(this.#waiting.length, this.#maxItems)
    let bytes = 0
    for (let count = 0; count < most; count += 1) {
      bytes += this.#waiting[count]?.bytes ?? 0
      if (bytes > maxTransactionBytes && count > 0) return count
    }
    return most
  }

  #land(count: number): void {
    this.#inFlight -= 1
    this.#committing -= count
    this.#takeOff()
    if (this.pending === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #fly(batch: readonly Waiting<Item>[]): Promise<void> {
    try {
      await this.#commit(batch)
    } catch (error) {
      if (batch.length === 1 || isInfrastructureError(error)) {
        for (const { reject } of batch) reject(error)
        return
      }
      // One of them is at fault; singly, each gets its own outcome.
      for (const waiting of batch) await this.#fly([waiting])
      return
    }
    await this.#tell(batch)
  }

  /** What fails from here on must not be repeated: the batch is committed. */
  async #tell(batch: readonly Waiting<Item>[]): Promise<void> {
    try {
      await this.#options.onStep?.('after')
      for (const { resolve } of batch) resolve()
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  async #commit(batch: readonly Waiting<Item>[]): Promise<void> {
    await this.#options.onStep?.('before')
    const items = batch.map(({ item }) => item)
    await this.#options.database.inTransaction((tx) => this.#options.write(tx, items), { settle: true })
  }
}
