import { setImmediate } from 'node:timers/promises'
import type { Queryable } from '@headrace/database'
import { listOrders } from '../store/read-orders.ts'
import type { Lookups } from './lookups.ts'
import type { CachedOrder } from './order-cache.ts'
import { serialised } from './serialised.ts'

/** Orders that are read at a time. */
const pageSize = 200

export interface WarmUpNeeds {
  readonly database: Queryable
  readonly lookups: Lookups
  /** Most orders, and about how many bytes of them, that are worth reading. */
  readonly capacity: number
  readonly maxBytes: number
}

/** Fills the cache from the newest orders, the newest last, so that it is the last to go. */
export async function warmUp(needs: WarmUpNeeds, signal: AbortSignal): Promise<void> {
  using load = needs.lookups.load()
  const pages = await newestOrders(needs, signal)
  for (const page of pages.toReversed()) {
    for (const [id, order] of page.toReversed()) load.put(id, order)
    // Others have their turn: there may be very many.
    await setImmediate()
  }
}

/** Pages of orders, the newest first, as many as the cache can hold. */
async function newestOrders({ database, capacity, maxBytes }: WarmUpNeeds, signal: AbortSignal) {
  const pages: (readonly [id: string, order: CachedOrder])[][] = []
  let after: { readonly atMs: number; readonly id: string } | undefined
  let bytes = 0
  for (let left = capacity; left > 0 && bytes < maxBytes && !signal.aborted; left -= pageSize) {
    const orders = await listOrders(database, { after, limit: Math.min(left, pageSize) })
    const last = orders.at(-1)
    if (last === undefined) break
    after = { atMs: last.atMs, id: last.order.order_uid }
    const page = orders.map((stored) => [stored.order.order_uid, serialised(stored)] as const)
    for (const [, order] of page) bytes += order.bytes.byteLength
    pages.push(page)
  }
  return pages
}
