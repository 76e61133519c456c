import { actingUser, maySee } from '@headrace/http-kit'
import { readUuid } from '../domain/ids.ts'
import { listSchema, orderSchema } from '../http-shapes.ts'
import { findOrder, listOrders } from '../store/orders.ts'
import { orderView } from '../wire/order-view.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { noOrder, pathOf, type RouteNeeds } from './needs.ts'

/** Adds `GET` of an order. */
export function addOrderRoute({ app, station }: RouteNeeds): void {
  app.get('/orders-api/orders/:id', { config: { access: 'person' }, schema: orderSchema }, async (request) => {
    const id = readUuid(request.params.id)
    const order = id === undefined ? undefined : await findOrder(station.database, id)
    if (order === undefined || !maySee(request, order.userId)) throw noOrder()
    return orderView(order)
  })
}

/** Orders of a page unless the request says how many. */
const defaultLimit = 50

/** Adds `GET` of a user's orders. */
export function addListRoute({ app, station }: RouteNeeds): void {
  const path = '/orders-api/orders/user/:user_id'
  app.get(path, { config: { access: 'person' }, schema: listSchema }, async (request, reply) => {
    const { limit = defaultLimit, cursor } = request.query
    const userId = readUuid(actingUser(request, request.params.user_id))
    const behind = decodeCursor(cursor)
    // Nobody can have such an id, and so no orders either.
    if (userId === undefined) return []
    const found = await listOrders(station.database, { userId, behind, limit: limit + 1 })
    const page = found.slice(0, limit)
    const last = page.at(-1)
    if (found.length > limit && last !== undefined) {
      const next = encodeCursor({ createdAtMs: last.createdAt.getTime(), id: last.id })
      reply.header('link', `<${pathOf(request)}?limit=${limit}&cursor=${next}>; rel="next"`)
    }
    return page.map(orderView)
  })
}
