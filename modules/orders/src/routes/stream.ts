import { streamSchema } from '../http-shapes.ts'
import { listOrders } from '../store/orders.ts'
import { streamOf } from '../tell.ts'
import { orderView } from '../wire/order-view.ts'
import { type RouteNeeds, requiredUser } from './needs.ts'

/** Orders in the present state that a client gets whose position is older than what is kept. */
const snapshotLimit = 200

/** Adds `GET` of a user's stream. */
export function addStreamRoute({ app, station, live }: RouteNeeds): void {
  const path = '/orders-api/orders/stream'
  app.get(path, { config: { access: 'person', stream: true }, schema: streamSchema }, (request, reply) => {
    const userId = requiredUser(request, request.query.user_id)
    const snapshot = async () => {
      const orders = await listOrders(station.database, { userId, behind: undefined, limit: snapshotLimit })
      return orders.map(orderView)
    }
    return live.stream(request, reply, { subject: streamOf(userId), snapshot })
  })
}
