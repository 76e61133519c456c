import { invalidRequest } from '@headrace/http-kit'
import { readAmount } from '@headrace/payments/contract'
import { PlatformError } from '@headrace/runtime'
import { drawnAmount } from '../domain/drawn-amount.ts'
import { placed } from '../domain/order.ts'
import { placeSchema } from '../http-shapes.ts'
import { newOrders } from '../store/orders.ts'
import { showOrder, tellPayments } from '../tell.ts'
import { type OrderView, orderView } from '../wire/order-view.ts'
import { pathOf, type RouteNeeds, requiredUser, traceOf } from './needs.ts'

/** Adds `POST` of an order: recorded, told to payments and shown to its user in one transaction. */
export function addPlaceRoute(needs: RouteNeeds): void {
  const { app, keyed, live, accounts, newId, random, faults } = needs
  app.post('/orders-api/orders', { config: { access: 'person' }, schema: placeSchema }, async (request, reply) => {
    const userId = requiredUser(request, request.body.user_id)
    const amountMinor = amountOf(request.body.amount)
    if ((await accounts.hasAccount(userId, request.headers.authorization)) === false) {
      throw new PlatformError('NOT_FOUND', `user '${userId}' has no account`)
    }
    const trace = traceOf(request)
    const key = { header: request.headers['idempotency-key'], caller: userId, method: 'POST', route: pathOf(request) }
    const { status, body } = await keyed.answer({ ...key, body: request.body }, async (tx, id) => {
      const amount = amountMinor ?? drawnAmount(random)
      const at = new Date()
      const order = { ...placed({ id, userId, amountMinor: amount, currency: 'USD' }), createdAt: at, updatedAt: at }
      tx.collect(newOrders, order)
      const news = { eventId: newId(), order, atMs: order.createdAt.getTime(), trace }
      tellPayments(tx, { ...news, type: 'order.created' })
      showOrder(tx, live, order)
      await faults.at('effect.before-commit')
      return { status: 201, body: orderView(order) }
    })
    await faults.at('effect.after-commit')
    reply.code(status as 201)
    // Stored by ourselves, so it has the shape of an answer.
    return body as OrderView
  })
}

function amountOf(amount: number | undefined): number | undefined {
  if (amount === undefined) return undefined
  const reading = readAmount(amount)
  if (reading.kind === 'refused') throw invalidRequest(`amount ${reading.expected}, got ${amount}`)
  return reading.minor
}
