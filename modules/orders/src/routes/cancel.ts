import { databaseNowMs } from '@headrace/database'
import { maySee, withOptionalBody } from '@headrace/http-kit'
import type { LogTransaction } from '@headrace/log'
import { moduleError, PlatformError } from '@headrace/runtime'
import { errors } from '../contract.ts'
import { readUuid } from '../domain/ids.ts'
import { decideCancel, evolve } from '../domain/order.ts'
import { cancelSchema } from '../http-shapes.ts'
import { findOrder, lockOrders, type StoredOrder } from '../store/orders.ts'
import { changeOrder, tellPayments } from '../tell.ts'
import { type OrderView, orderView } from '../wire/order-view.ts'
import { type GuardedRequest, noOrder, pathOf, type RouteNeeds, traceOf } from './needs.ts'

/** Adds `POST` of a cancellation. */
export function addCancelRoute(needs: RouteNeeds): void {
  const { keyed, faults } = needs
  withOptionalBody(needs.app, (app) => {
    const path = '/orders-api/orders/:id/cancel'
    app.post(path, { config: { access: 'person' }, schema: cancelSchema }, async (request) => {
      const { id, userId } = await ownOrder(needs, request, request.params.id)
      const key = { header: request.headers['idempotency-key'], caller: userId, method: 'POST', route: pathOf(request) }
      const { body } = await keyed.answer({ ...key, body: request.body ?? {} }, async (tx) => {
        const order = await cancel(needs, tx, id, traceOf(request))
        await faults.at('effect.before-commit')
        return { status: 200, body: orderView(order) }
      })
      await faults.at('effect.after-commit')
      // Stored by ourselves, so it has the shape of an answer.
      return body as OrderView
    })
  })
}

async function ownOrder({ station }: RouteNeeds, request: GuardedRequest, named: string): Promise<StoredOrder> {
  const id = readUuid(named)
  const order = id === undefined ? undefined : await findOrder(station.database, id)
  if (order === undefined || !maySee(request, order.userId)) throw noOrder()
  return order
}

async function cancel(
  { live, newId }: RouteNeeds,
  tx: LogTransaction,
  id: string,
  trace: string | undefined,
): Promise<StoredOrder> {
  const [[order], nowMs] = await Promise.all([lockOrders(tx, [id]), databaseNowMs(tx)])
  if (order === undefined) throw noOrder()
  const cancellation = decideCancel(order)
  if (cancellation.kind === 'unchanged') return order
  if (cancellation.kind === 'too-late') {
    throw new PlatformError(moduleError(errors, 'TOO_LATE_TO_CANCEL'), `the order is ${order.status}`)
  }
  const cancelled = { ...order, ...evolve(order, cancellation.event), updatedAt: new Date(nowMs) }
  tellPayments(tx, { type: 'order.cancelled', eventId: newId(), order: cancelled, atMs: nowMs, trace })
  changeOrder(tx, live, cancelled)
  return cancelled
}
