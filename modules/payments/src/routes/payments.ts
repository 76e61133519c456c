import { maySee } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'
import { readUuid } from '../domain/ids.ts'
import { paymentSchema } from '../http-shapes.ts'
import { findPaymentOf } from '../store/payments.ts'
import { paymentView } from '../views.ts'
import type { RouteNeeds } from './needs.ts'

/** Adds `GET` of the payment of an order. */
export function addPaymentRoute({ app, station }: RouteNeeds): void {
  const path = '/payments-api/payments/by-order/:order_id'
  app.get(path, { config: { access: 'person' }, schema: paymentSchema }, async (request) => {
    const orderId = readUuid(request.params.order_id)
    const payment = orderId === undefined ? undefined : await findPaymentOf(station.database, orderId)
    if (payment === undefined || !maySee(request, payment.user_id)) {
      throw new PlatformError('NOT_FOUND', 'there is no payment of such an order')
    }
    return paymentView(payment)
  })
}
