import type { CacheStats } from '../contract.ts'
import { type CachedOrder, type Load, OrderCache } from './order-cache.ts'
import { type Checked, versionChecks } from './version-checks.ts'

export interface LookupsNeeds {
  /** The order as it is now in the database, as bytes. */
  readonly read: (id: string) => Promise<CachedOrder | undefined>
  readonly currentVersions: (ids: readonly string[]) => Promise<ReadonlyMap<string, string>>
  /** Longest time in ms that an order is answered without having been checked. */
  readonly stalenessMs: number
  readonly capacity: number
  readonly maxBytes: number
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  readonly onError: (error: unknown) => void
}

export interface Found {
  readonly order: CachedOrder | undefined
  readonly from: 'hit' | 'miss'
}

interface Flight {
  /** Undefined until the database is asked. */
  startedAtMs: number | undefined
  readonly result: Promise<CachedOrder | undefined>
}

/** Looks orders up by id: in memory, else in the database, which is asked once however many ask at the same time. */
export class Lookups {
  readonly #needs: LookupsNeeds
  readonly #cache: OrderCache
  readonly #check: (id: string) => Promise<Checked>
  readonly #flights = new Map<string, Flight>()
  readonly #ahead = new Set<string>()

  constructor(needs: LookupsNeeds) {
    this.#needs = needs
    this.#cache = new OrderCache(needs)
    this.#check = versionChecks(needs)
  }

  get stats(): CacheStats {
    return this.#cache.stats
  }

  /** The order, at most `stalenessMs` old. Throws what the database throws: an old order is no substitute. */
  find(id: string): Promise<Found> | Found {
    const { stalenessMs } = this.#needs
    const known = this.#cache.find(id)
    if (known === undefined) return this.#miss(id)
    if (stalenessMs === 0 || known.ageMs > stalenessMs) return this.#checked(id, known.order)
    // Checked ahead of time, so that an order that is asked for all the time is never waited for.
    if (known.ageMs > stalenessMs / 2) this.#checkAhead(id, known.order)
    return this.#hit(known.order)
  }

  /** These orders have changed elsewhere. */
  forget(ids: readonly string[]): void {
    this.#cache.forget(ids)
    for (const id of ids) this.#flights.delete(id)
  }

  /**
   * These orders are being written here; the result is to be called once that is committed, or undone. Until then none of
   * them is answered from memory.
   */
  hold(ids: readonly string[]): () => void {
    this.forget(ids)
    const release = this.#cache.hold(ids)
    return () => {
      this.forget(ids)
      release()
    }
  }

  /** Begins a read that fills the cache. */
  load(): Load {
    return this.#cache.load()
  }

  #hit(order: CachedOrder): Found {
    this.#cache.count('hit')
    return { order, from: 'hit' }
  }

  async #miss(id: string): Promise<Found> {
    this.#cache.count('miss')
    return { order: await this.#readOnce(id), from: 'miss' }
  }

  async #checked(id: string, order: CachedOrder): Promise<Found> {
    return (await this.#isNewest(id, order)) ? this.#hit(order) : this.#miss(id)
  }

  /** Asks the database; what is not the newest leaves the cache. */
  async #isNewest(id: string, order: CachedOrder): Promise<boolean> {
    const { version, atMs } = await this.#check(id)
    const isKept = this.#cache.has(id, order)
    if (version === order.version) {
      this.#cache.confirm(id, order, atMs)
      return isKept
    }
    // Unless a newer one has come in its place.
    if (isKept) this.forget([id])
    return false
  }

  #checkAhead(id: string, order: CachedOrder): void {
    if (this.#ahead.has(id)) return
    this.#ahead.add(id)
    void this.#isNewest(id, order)
      .catch(this.#needs.onError)
      .finally(() => this.#ahead.delete(id))
  }

  #readOnce(id: string): Promise<CachedOrder | undefined> {
    const { now, stalenessMs } = this.#needs
    const known = this.#flights.get(id)
    // A read that began long ago may be older than this question allows; while the order is written here, any that began.
    const joinableMs = this.#cache.isHeld(id) ? -1 : stalenessMs
    const mayJoin = known?.startedAtMs === undefined || now() - known.startedAtMs <= joinableMs
    return known !== undefined && mayJoin ? known.result : this.#startFlight(id)
  }

  #startFlight(id: string): Promise<CachedOrder | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<CachedOrder | undefined>()
    const flight: Flight = { startedAtMs: undefined, result: promise }
    this.#flights.set(id, flight)
    // At the turn's end, so that all who ask in this turn share it, whatever the bound.
    setImmediate(() => {
      flight.startedAtMs = this.#needs.now()
      void this.#read(id)
        .then(resolve, reject)
        .finally(() => {
          if (this.#flights.get(id) === flight) this.#flights.delete(id)
        })
    })
    return promise
  }

  async #read(id: string): Promise<CachedOrder | undefined> {
    using load = this.load()
    const order = await this.#needs.read(id)
    if (order !== undefined) load.put(id, order)
    return order
  }
}
