import { queueStatus, type Subscription, startConsumer } from '@headrace/inbox'
import { PlatformError, type Running } from '@headrace/runtime'
import type { Backlog } from './backlog.ts'
import { compositeStats } from './composite-stats.ts'
import type { PipelineContext } from './context.ts'
import type { ProcessorOffer, ProcessorStats } from './contract.ts'
import { handleBuiltIn, type OnProcessed, workOf } from './handlers/data-message.ts'
import { loadProcessor } from './handlers/registered-function.ts'
import { timedHandle, timedWork } from './handlers/timed.ts'
import { startResultSweep } from './housekeeping.ts'
import { requireOnlyProcessor } from './only-processor.ts'
import type { PipelineParts } from './parts.ts'
import { addEnqueueRoute } from './routes/enqueue.ts'
import { addProcessorStats } from './routes/stats.ts'

/** Counts since the process started. */
class ProcessorCounters {
  processed = 0
  failed = 0
  died = 0
}

/** Starts the role that processes messages. */
export async function startProcessor(context: PipelineContext, parts: PipelineParts): Promise<Running> {
  const { settings, surfaces, offers, log, pipelineQueue: queue } = context
  const { backlog } = parts
  if (queue.type === 'memory') {
    await requireOnlyProcessor(context.wakeUps, settings.KAFKA_CONSUMER_GROUP, settings.KAFKA_TOPIC)
  }
  await log.declareTopic(settings.KAFKA_TOPIC)
  // What waits from before counts for the first /enqueue, too.
  await backlog.refresh()
  const counters = new ProcessorCounters()
  const offer: ProcessorOffer = { stats: processorStats(context, backlog, counters) }
  offers['pipeline.processor'] = offer
  offers['pipeline.messages'] ??= parts.messages
  addEnqueueRoute(surfaces.internal, parts)
  if (surfaces.processor !== undefined) {
    addEnqueueRoute(surfaces.processor, parts)
    addProcessorStats(surfaces.processor, offer.stats)
    parts.messages.addMessageRoute(surfaces.processor, '/api/v1/messages')
  }
  addMetrics(context, parts, counters)
  const consumer = await consume(context, parts, counters)
  // After the group is known: a new relay begins behind what it still needs.
  if (queue.type !== 'remote-memory') await queue.carriage.relay(settings.KAFKA_TOPIC)
  const sweep = startResultSweep(context.database, context.onError)
  const stop = async () => {
    await consumer.stop()
    await Promise.all([sweep.stop(), parts.stop()])
  }
  return { stop, [Symbol.asyncDispose]: stop }
}

function processorStats(
  { settings, pipelineQueue: queue }: PipelineContext,
  backlog: Backlog,
  counters: ProcessorCounters,
): () => Promise<ProcessorStats> {
  const isComposite = queue.type === 'log' && queue.isComposite
  const composite = isComposite ? compositeStats(queue, settings.KAFKA_TOPIC) : undefined
  return async () => ({
    queue: {
      size: await backlog.count(),
      capacity: backlog.capacity,
      ...(composite !== undefined && { composite_stats: await composite() }),
    },
    pool: {
      processed: counters.processed,
      errors: counters.failed + counters.died,
      workers: settings.PROCESSOR_WORKERS,
    },
  })
}

async function consume(context: PipelineContext, { backlog }: PipelineParts, counters: ProcessorCounters) {
  const { database, log, membership, pipelineQueue: queue, onError, faults } = context
  if (queue.type === 'remote-memory') throw new TypeError('the processor holds the memory that others hand over to')
  const events = {
    handled: (count: number) => backlog.removed(count),
    failed() {
      counters.failed += 1
    },
    died() {
      counters.died += 1
      backlog.removed(1)
    },
    gap({ topic, partition, position }: { topic: string; partition: number; position: number }) {
      const text = `message ${position + 1} of ${topic}/${partition} is on no carrier`
      onError(new PlatformError('LANE_GAP', text, { details: { topic, partition, position } }), 'processor')
    },
  }
  const onProcessed = (count: number) => {
    counters.processed += count
  }
  const carried = queue.carriage.carriers(context.settings.KAFKA_TOPIC)
  const carriers = queue.type === 'memory' ? [queue.transport, ...carried] : carried
  const needs = { database, log, membership, carriers, onError, events, faults }
  return startConsumer(needs, await subscription(context, onProcessed))
}

async function subscription(context: PipelineContext, onProcessed: OnProcessed): Promise<Subscription> {
  const { settings, metrics, pipelineQueue: queue } = context
  const common = {
    group: settings.KAFKA_CONSUMER_GROUP,
    topic: settings.KAFKA_TOPIC,
    concurrency: settings.PROCESSOR_WORKERS,
    maxAttempts: settings.PROCESSOR_MAX_ATTEMPTS,
    afterDeath: 'flow',
  } as const
  const path = settings.PROCESSOR_FUNCTION
  if (path === undefined) return { ...common, handle: timedHandle(handleBuiltIn(onProcessed), metrics) }
  return {
    ...common,
    work: timedWork(workOf(await loadProcessor(path), onProcessed), metrics),
    workTimeoutMs: settings.PROCESSOR_TIMEOUT_MS,
    // What waits for workers has left the memory that bounds it.
    ...(queue.type === 'memory' ? { maxReady: Math.min(10_000, settings.QUEUE_SIZE) } : {}),
  }
}

function addMetrics(context: PipelineContext, { backlog }: PipelineParts, counters: ProcessorCounters): void {
  const { metrics, settings, database } = context
  metrics.custom({
    name: 'headrace_pipeline_processed_total',
    help: 'Messages, by outcome: processed, failed (an attempt, tried again), parked (set aside).',
    type: 'counter',
    read: () => [
      { labels: { outcome: 'processed' }, value: counters.processed },
      { labels: { outcome: 'failed' }, value: counters.failed },
      { labels: { outcome: 'parked' }, value: counters.died },
    ],
  })
  metrics.gauge({
    name: 'headrace_pipeline_backlog',
    help: 'Messages that are accepted and not yet processed.',
    collect: async (gauge) => gauge.set(await backlog.count()),
  })
  metrics.gauge({
    name: 'headrace_pipeline_queue',
    help: 'Messages of the group, by where they are: lag (in the log), queued (wait for a worker or retry), dead (set aside).',
    labels: ['state'],
    async collect(gauge) {
      const queues = await queueStatus(database)
      const own = queues.find(
        ({ group, topic }) => group === settings.KAFKA_CONSUMER_GROUP && topic === settings.KAFKA_TOPIC,
      )
      for (const state of ['lag', 'queued', 'dead'] as const) gauge.set({ state }, own?.[state] ?? 0)
    },
  })
}
