import { PlatformError, type Running } from '@headrace/runtime'
import type { OrderIntakeWorkerContext } from '../context.ts'
import { eventsHandler } from './handle-events.ts'
import { storeResult } from './store-result.ts'

/** Between applying an event and acknowledging it; of the worker alone. */
export const resultsTopic = 'order-intake.results'

/** Results that are stored at a time: each waits for the key-value store. */
const resultsAtATime = 16

/** Starts the role that applies events. */
export async function startWorker(context: OrderIntakeWorkerContext): Promise<Running> {
  const { settings, metrics, logger } = context
  const station = context.stations.orderIntakeWorker
  const { ORDERS_EVENTS_TOPIC: topic, ORDERS_ACK_TOPIC: ackTopic, WORKER_GROUP: group } = settings
  requireTopics(topic, ackTopic)
  await station.keeps(resultsTopic)
  await station.produces(ackTopic)
  const died = metrics.counter({
    name: 'headrace_order_intake_events_dead_total',
    help: 'Events that were set aside.',
  })
  await using stack = new AsyncDisposableStack()
  const work = storeResult({ keyvalue: station.keyvalue, ackTopic })
  stack.use(
    await station.consume({ group: `${group}-results`, topic: resultsTopic, work, concurrency: resultsAtATime }),
  )
  const handle = eventsHandler({
    resultsTopic,
    messageLimitBytes: settings.MESSAGE_LIMIT_BYTES,
    now: () => new Date().toISOString(),
  })
  const events = {
    died({ id }: { readonly id: string }, code: string) {
      died.inc()
      logger.warn(`event ${id} of ${topic} was set aside`, { code })
    },
  }
  stack.use(await station.consume({ group, topic, handle }, events))
  const parts = stack.move()
  const stop = () => parts.disposeAsync()
  return { stop, [Symbol.asyncDispose]: stop }
}

function requireTopics(...topics: readonly string[]): void {
  if (new Set([...topics, resultsTopic]).size === topics.length + 1) return
  const text = `ORDERS_EVENTS_TOPIC and ORDERS_ACK_TOPIC must differ from each other and from ${resultsTopic}`
  throw new PlatformError('INVALID_SETTING', text)
}
