import type { Database } from '@headrace/database'
import type { Order } from '../../src/contract.ts'
import { listOrders } from '../../src/store/read-orders.ts'

/** How many orders the lookup has stored. */
export async function countOrders(database: Database): Promise<number> {
  const { rows } = await database.query<{ count: number }>({
    text: 'select count(*) as count from order_lookup.orders',
  })
  return rows[0]?.count ?? 0
}

/** All that is stored, by its id. */
export async function storedOrders(database: Database): Promise<Map<string, Order>> {
  const all = new Map<string, Order>()
  for (let after: { atMs: number; id: string } | undefined; ; ) {
    const page = await listOrders(database, { after, limit: 1_000 })
    for (const { order } of page) all.set(order.order_uid, order)
    const last = page.at(-1)
    if (last === undefined) return all
    after = { atMs: last.atMs, id: last.order.order_uid }
  }
}
