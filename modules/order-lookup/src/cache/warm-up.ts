import type { Queryable } from '@headrace/database'
import { listOrders } from '../store/read-orders.ts'
import type { Lookups } from './lookups.ts'
import { serialised } from './serialised.ts'

/** Orders that are read at a time. */
const pageSize = 200

/** Fills the cache from the newest orders, the newest last, so that it is the last to go. */
export async function warmUp(
  needs: { readonly database: Queryable; readonly lookups: Lookups; readonly capacity: number },
  signal: AbortSignal,
): Promise<void> {
  const { database, lookups, capacity } = needs
  let after: { readonly atMs: number; readonly id: string } | undefined
  for (let left = capacity; left > 0 && !signal.aborted; left -= pageSize) {
    using load = lookups.load()
    const orders = await listOrders(database, { after, limit: Math.min(left, pageSize) })
    for (const stored of orders.toReversed()) load.put(stored.order.order_uid, serialised(stored))
    const last = orders.at(-1)
    if (last === undefined || lookups.stats.evictions > 0) return
    after = { atMs: last.atMs, id: last.order.order_uid }
  }
}
