import { backgroundSet, type Running } from '@headrace/runtime'
import { type Coherence, coherence } from './cache/coherence.ts'
import { Lookups } from './cache/lookups.ts'
import { serialised } from './cache/serialised.ts'
import { warmUp } from './cache/warm-up.ts'
import type { OrderLookupContext } from './context.ts'
import { type ConsumerStats, orderLookupGroup } from './contract.ts'
import { ordersHandler } from './handlers/orders.ts'
import { addOrderRoutes } from './routes/orders.ts'
import { addPage, readPage } from './routes/page.ts'
import { currentVersions, findOrder } from './store/read-orders.ts'

/** Starts consuming and answering. The cache fills in the background. */
export async function startOrderLookup(context: OrderLookupContext): Promise<Running> {
  const { settings, surfaces, onError } = context
  const { database, log, pubsub } = context.stations.orderLookup
  const found = lookupsOf(context)
  const counters = new ConsumerCounters()
  const stats = () => ({ cache: found.stats, consumer: counters.stats })
  const page = await readPage()
  // Each port once: several names may stand for one.
  for (const app of new Set([surfaces.public, surfaces.console, surfaces.orderLookup])) {
    if (app === undefined) continue
    addOrderRoutes(app, { lookups: found, database, stats })
    addPage(app, page, ['/', '/order-lookup', '/order-lookup/'])
  }
  const replicas = coherence(pubsub, (ids) => found.forget(ids))
  await log.declareTopic(settings.ORDERS_TOPIC)
  const consumer = await consume(context, found, replicas, counters)
  const stopping = new AbortController()
  const background = backgroundSet(onError)
  background.add(
    'order-lookup warm-up',
    warmUp(
      { database, lookups: found, capacity: settings.CACHE_CAPACITY, maxBytes: settings.CACHE_MAX_BYTES },
      stopping.signal,
    ),
  )
  const stop = async () => {
    stopping.abort()
    await consumer.stop()
    replicas.stop()
    await background.settled()
  }
  return { stop, [Symbol.asyncDispose]: stop }
}

function lookupsOf({ settings, stations, onError }: OrderLookupContext): Lookups {
  const { database } = stations.orderLookup
  return new Lookups({
    async read(id) {
      const stored = await findOrder(database, id)
      return stored && serialised(stored)
    },
    currentVersions: (ids) => currentVersions(database, ids),
    stalenessMs: settings.CACHE_STALENESS_MS,
    capacity: settings.CACHE_CAPACITY,
    maxBytes: settings.CACHE_MAX_BYTES,
    now: () => performance.now(),
    onError: (error) => onError(error, 'order-lookup check'),
  })
}

/** Counts since the process started. */
class ConsumerCounters {
  handled = 0
  stored = 0
  rejected = 0

  get stats(): ConsumerStats {
    return { consumed: this.handled + this.rejected, stored: this.stored, rejected: this.rejected }
  }
}

function consume(
  { settings, stations, logger, metrics }: OrderLookupContext,
  found: Lookups,
  replicas: Coherence,
  counters: ConsumerCounters,
) {
  const topic = settings.ORDERS_TOPIC
  const rejected = metrics.counter({
    name: 'headrace_order_lookup_rejected_total',
    help: 'Messages that were no order and were set aside.',
  })
  const handle = ordersHandler({
    topic,
    hold: (ids) => found.hold(ids),
    onStored(saved) {
      counters.stored += saved.length
      // Nobody keeps what was not there before.
      replicas.tell(saved.filter(({ replaced }) => replaced).map(({ id }) => id))
    },
  })
  return stations.orderLookup.consume(
    { group: orderLookupGroup, topic, handle, afterDeath: 'flow' },
    {
      handled: (count) => {
        counters.handled += count
      },
      died({ id }, code) {
        counters.rejected += 1
        rejected.inc()
        logger.warn(`message ${id} of ${topic} is no order and was set aside`, { code })
      },
    },
  )
}
