import { admission } from '@headrace/http-kit'
import { type Running, sleep, startLoop } from '@headrace/runtime'
import type { PipelineContext } from './context.ts'
import type { IngestOffer } from './contract.ts'
import type { PipelineParts } from './parts.ts'
import { addIngestRoute, IngestCounters } from './routes/ingest.ts'
import { addIngestStats } from './routes/stats.ts'

/** How often the backlog is counted while it changes, in ms. */
const recountMs = 250

/** Starts the role that accepts messages. */
export async function startIngest(context: PipelineContext, parts: PipelineParts): Promise<Running> {
  const { settings, surfaces, offers, log, pipelineQueue: queue } = context
  if (queue.type === 'log') {
    await log.declareTopic(settings.KAFKA_TOPIC)
    await queue.carriage.relay(settings.KAFKA_TOPIC)
  }
  // What waits from before counts for the first request, too.
  if (queue.type !== 'remote-memory') await parts.backlog.refresh()
  const counters = new IngestCounters()
  const { onRequest } = admission({ limit: settings.INGEST_MAX_IN_FLIGHT })
  const needs = { ...parts, admit: onRequest }
  const offer: IngestOffer = {
    addIngestRoute: (app, path) => addIngestRoute(app, path, needs, counters),
    stats: () => counters.stats,
  }
  offers['pipeline.ingest'] = offer
  offers['pipeline.messages'] ??= parts.messages
  if (surfaces.ingest !== undefined) {
    offer.addIngestRoute(surfaces.ingest, '/ingest')
    addIngestStats(surfaces.ingest, offer.stats)
    parts.messages.addMessageRoute(surfaces.ingest, '/api/v1/messages')
  }
  addMetrics(context, counters)
  const recount = startLoop({
    name: 'backlog',
    async run(signal) {
      await sleep(recountMs, signal)
      if (!signal.aborted && queue.type !== 'remote-memory') await parts.backlog.refresh()
    },
    onError: context.onError,
  })
  const stop = async () => {
    await recount.stop()
    await parts.stop()
  }
  return { stop, [Symbol.asyncDispose]: stop }
}

function addMetrics({ metrics }: PipelineContext, counters: IngestCounters): void {
  metrics.custom({
    name: 'headrace_pipeline_ingested_total',
    help: 'Requests to ingest, by outcome; replayed keys are not counted.',
    type: 'counter',
    read: () => [
      { labels: { outcome: 'accepted' }, value: counters.sent },
      { labels: { outcome: 'failed' }, value: counters.failed },
    ],
  })
}
