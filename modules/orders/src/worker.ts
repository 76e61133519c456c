import { startLive } from '@headrace/live'
import { paymentsTopic } from '@headrace/payments/contract'
import type { Running } from '@headrace/runtime'
import { startCompletion } from './completion.ts'
import type { OrdersContext } from './context.ts'
import { handlePaymentEvents } from './handlers/payment-events.ts'

/** The group of all replicas of orders. */
export const ordersGroup = 'orders-service-group'

/** Starts the role that takes note of payments and completes orders. */
export async function startOrdersWorker(context: OrdersContext): Promise<Running> {
  const { settings, faults, onError, metrics } = context
  const station = context.stations.orders
  const live = startLive({ database: station.database, pubsub: station.pubsub, onError })
  const handled = metrics.counter({
    name: 'headrace_orders_events_total',
    help: 'Events of payments, by outcome: handled, failed (an attempt, tried again), parked (set aside).',
    labels: ['outcome'],
  })
  const handle = handlePaymentEvents({ live, completeAfterMs: settings.ORDER_COMPLETE_AFTER_MS })
  const consumer = await station.consume(
    { group: ordersGroup, topic: paymentsTopic, handle },
    {
      handled: (count) => handled.inc({ outcome: 'handled' }, count),
      failed: () => handled.inc({ outcome: 'failed' }, 1),
      died: () => handled.inc({ outcome: 'parked' }, 1),
    },
  )
  const completion = startCompletion({ log: station.log, live, faults, onError })
  const stop = async () => {
    await consumer.stop()
    await completion.stop()
    await live.stop()
  }
  return { stop, [Symbol.asyncDispose]: stop }
}
