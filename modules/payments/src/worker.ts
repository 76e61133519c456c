import { randomBytes } from 'node:crypto'
import { ordersTopic } from '@headrace/orders/contract'
import type { Running } from '@headrace/runtime'
import type { PaymentsContext } from './context.ts'
import { startDeadlines } from './deadlines.ts'
import { newIds } from './domain/ids.ts'
import { handleOrderEvents } from './handlers/order-events.ts'
import { paymentsTopic } from './wire/payment-event.ts'

/** The group of all replicas of payments. */
export const paymentsGroup = 'payments-service-group'

/** Starts the role that pays orders and keeps deadlines. */
export async function startPaymentsWorker(context: PaymentsContext): Promise<Running> {
  const { settings, faults, onError, metrics } = context
  const station = context.stations.payments
  await station.produces(paymentsTopic)
  const newId = newIds({ now: Date.now, randomBytes })
  const handled = metrics.counter({
    name: 'headrace_payments_events_total',
    help: 'Events of orders, by outcome: handled, failed (an attempt, tried again), parked (set aside).',
    labels: ['outcome'],
  })
  const handle = handleOrderEvents({ newId, timeoutMs: settings.PAYMENT_TIMEOUT_MS })
  const consumer = await station.consume(
    { group: paymentsGroup, topic: ordersTopic, handle },
    {
      handled: (count) => handled.inc({ outcome: 'handled' }, count),
      failed: () => handled.inc({ outcome: 'failed' }, 1),
      died: () => handled.inc({ outcome: 'parked' }, 1),
    },
  )
  const deadlines = startDeadlines({ log: station.log, newId, faults, onError })
  const stop = async () => {
    await consumer.stop()
    await deadlines.stop()
  }
  return { stop, [Symbol.asyncDispose]: stop }
}
