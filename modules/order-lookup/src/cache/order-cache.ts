import { LRUCache } from 'lru-cache'
import type { CacheStats } from '../contract.ts'

/** An order as it is answered. */
export interface CachedOrder {
  readonly bytes: Buffer
  readonly etag: string
  readonly version: string
}

interface Entry extends CachedOrder {
  /** When the database was last asked and had no newer one, by the monotonic clock in ms: the time of asking. */
  checkedAtMs: number
}

/** A read of the database whose result may enter the cache, unless what it read has changed meanwhile. */
export interface Load extends Disposable {
  put(id: string, order: CachedOrder): void
}

export interface OrderCacheOptions {
  /** Most orders. */
  readonly capacity: number
  readonly maxBytes: number
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

/** What an entry costs besides its bytes: its key, tags and the cache's own lists. A guess. */
const entryBytes = 256
/** After so many ms a hold ends by itself: how its batch ended is not known, and what is retried holds again. */
const holdLimitMs = 30_000
/** More holds than batches can have at a time: those that have ended by themselves are let go. */
const holdsBeforeSweep = 4_096

/**
 * The orders that were asked for last, as bytes. Nothing enters it that was read before a change of which this process
 * knows: a change ends an entry and shuts out all loads under way.
 */
export class OrderCache {
  #hits = 0
  #misses = 0
  #evictions = 0
  readonly #entries: LRUCache<string, Entry>
  readonly #loads = new Set<Set<string>>()
  readonly #held = new Map<string, { count: number; untilMs: number }>()
  readonly #now: () => number

  constructor({ capacity, maxBytes, now }: OrderCacheOptions) {
    this.#now = now
    this.#entries = new LRUCache({
      max: capacity,
      maxSize: maxBytes,
      sizeCalculation: ({ bytes }, id) => bytes.byteLength + 2 * id.length + entryBytes,
      dispose: (_entry, _id, reason) => {
        if (reason === 'evict') this.#evictions += 1
      },
    })
  }

  get stats(): CacheStats {
    return {
      size: this.#entries.size,
      capacity: this.#entries.max,
      bytes: this.#entries.calculatedSize,
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
    }
  }

  /** The order and how long ago in ms it was known to be the newest; undefined where the database must be asked. */
  find(id: string): { readonly order: CachedOrder; readonly ageMs: number } | undefined {
    const order = this.#entries.get(id)
    return order === undefined || this.isHeld(id) ? undefined : { order, ageMs: this.#now() - order.checkedAtMs }
  }

  /** Tells whether this very entry is still the one that is answered. */
  has(id: string, order: CachedOrder): boolean {
    return this.#entries.peek(id) === order && !this.isHeld(id)
  }

  /** An order was confirmed to be the newest by a check that began at this time. */
  confirm(id: string, order: CachedOrder, atMs: number): void {
    const entry = this.#entries.peek(id)
    if (entry === order && entry.checkedAtMs < atMs) entry.checkedAtMs = atMs
  }

  count(outcome: 'hit' | 'miss'): void {
    if (outcome === 'hit') this.#hits += 1
    else this.#misses += 1
  }

  /** These orders have changed. */
  forget(ids: Iterable<string>): void {
    for (const id of ids) {
      this.#entries.delete(id)
      for (const changed of this.#loads) changed.add(id)
    }
  }

  /** Begins a read. What it puts counts as checked now. */
  load(): Load {
    const changed = new Set<string>()
    const atMs = this.#now()
    this.#loads.add(changed)
    return {
      put: (id, order) => {
        if (!changed.has(id) && !this.isHeld(id)) this.#entries.set(id, { ...order, checkedAtMs: atMs })
      },
      [Symbol.dispose]: () => void this.#loads.delete(changed),
    }
  }

  /** Nothing is answered from memory for these orders while they are being written; release when that has ended. */
  hold(ids: readonly string[]): () => void {
    const untilMs = this.#now() + holdLimitMs
    if (this.#held.size > holdsBeforeSweep) for (const id of [...this.#held.keys()]) this.isHeld(id)
    this.forget(ids)
    for (const id of ids) this.#held.set(id, { count: (this.#held.get(id)?.count ?? 0) + 1, untilMs })
    return () => {
      this.forget(ids)
      for (const id of ids) this.#release(id)
    }
  }

  isHeld(id: string): boolean {
    const hold = this.#held.get(id)
    if (hold === undefined) return false
    if (hold.untilMs > this.#now()) return true
    this.#held.delete(id)
    return false
  }

  #release(id: string): void {
    const hold = this.#held.get(id)
    if (hold === undefined) return
    hold.count -= 1
    if (hold.count <= 0) this.#held.delete(id)
  }
}
