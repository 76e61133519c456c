import type { Queryable } from '@headrace/database'
import type { App } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'
import type { Lookups } from '../cache/lookups.ts'
import type { CachedOrder } from '../cache/order-cache.ts'
import type { OrderLookupStats } from '../contract.ts'
import { type ListQuery, listSchema, orderSchema, statsSchema } from '../http-shapes.ts'
import { listOrders } from '../store/read-orders.ts'
import { cursorOf, placeOf } from './cursor.ts'

export interface OrderRoutesNeeds {
  readonly lookups: Lookups
  readonly database: Queryable
  readonly stats: () => OrderLookupStats
}

/** Adds the routes that answer orders. */
export function addOrderRoutes(app: App, needs: OrderRoutesNeeds): void {
  addOrderRoute(app, needs.lookups)
  app.get('/api/v1/orders', { config: { access: 'person' }, schema: listSchema }, (request) =>
    answerList(needs.database, request.query),
  )
  app.get('/api/v1/order-lookup/stats', { config: { access: 'person' }, schema: statsSchema }, async () =>
    needs.stats(),
  )
}

/** Adds `GET /order/{order_uid}`. */
function addOrderRoute(app: App, lookups: Lookups): void {
  app.get('/order/:order_uid', { config: { access: 'person' }, schema: orderSchema }, async (request, reply) => {
    const id = request.params.order_uid
    // Not awaited where it is at hand: a turn of the microtask queue is felt here.
    const looked = lookups.find(id)
    const { order, from } = looked instanceof Promise ? await looked : looked
    void reply.header('x-cache', from)
    if (order === undefined) throw new PlatformError('NOT_FOUND', `there is no order '${id.slice(0, 100)}'`)
    // A proxy may keep it, and asks each time: how old it may be is decided here.
    void reply.header('etag', order.etag).header('cache-control', 'private, no-cache')
    if (matches(request.headers['if-none-match'], order)) return reply.code(304).send()
    return reply.type('application/json; charset=utf-8').send(order.bytes)
  })
}

/** RFC 9110 §13.1.2: weak comparison. */
function matches(header: string | undefined, { etag }: CachedOrder): boolean {
  if (header === undefined) return false
  if (header.trim() === '*') return true
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}

const defaultLimit = 50

async function answerList(database: Queryable, query: ListQuery) {
  const limit = query.limit ?? defaultLimit
  const found = await listOrders(database, {
    customerId: query.customer_id,
    trackNumber: query.track_number,
    after: query.cursor === undefined ? undefined : placeOf(query.cursor),
    limit: limit + 1,
  })
  const page = found.slice(0, limit)
  const last = page.at(-1)
  const orders = page.map(({ order }) => ({ ...order, items: [...order.items] }))
  if (found.length <= limit || last === undefined) return { orders }
  return { orders, next_cursor: cursorOf({ atMs: last.atMs, id: last.order.order_uid }) }
}
