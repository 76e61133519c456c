import type { Queryable } from '@headrace/database'
import { type App, invalidRequest, maySee } from '@headrace/http-kit'
import { readUuid } from '../domain/ids.ts'
import { byExternalSchema, getSchema } from '../http-shapes.ts'
import { findByExternalId, findOrder } from '../store/accepted-orders.ts'
import { orderView } from '../wire/order-view.ts'
import { noOrder, requiredUser } from './acting.ts'

/** Adds the routes that answer orders. What the database does not answer is an error, never "not found". */
export function addReadRoutes(app: App, database: Queryable): void {
  app.get('/orders/:order_id', { config: { access: 'person' }, schema: getSchema }, async (request) => {
    const { order_id: named } = request.params
    const orderId = readUuid(named)
    if (orderId === undefined) throw invalidRequest(`order_id is '${named.slice(0, 64)}', not a UUID`)
    const order = await findOrder(database, orderId)
    if (order === undefined || !maySee(request, order.userId)) throw noOrder()
    return { order: orderView(order) }
  })

  const path = '/orders/by-external/:external_id'
  app.get(path, { config: { access: 'person' }, schema: byExternalSchema }, async (request) => {
    const userId = requiredUser(request, request.query.user_id)
    const order = await findByExternalId(database, userId, request.params.external_id)
    if (order === undefined) throw noOrder()
    return { order: orderView(order) }
  })
}
