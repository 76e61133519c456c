import type { App } from '@headrace/http-kit'
import { ingestSchema, ingestStatsShape, messageSchema, processorStatsShape } from '@headrace/pipeline/contract'
import type { Running } from '@headrace/runtime'
import type { GatewayContext } from './context.ts'
import type { GatewayOffers } from './contract.ts'
import { addProxiedRoute } from './proxy.ts'
import { addStatusRoute, askElsewhere, askHere } from './status.ts'
import { type Upstream, upstream } from './upstream.ts'

const ingestPath = '/api/v1/ingest'
const messagesPath = '/api/v1/messages'

/** Mounts what runs in this process, hands on to what does not, and says how all of it is. */
export async function startGateway({ settings, surfaces, offers }: GatewayContext): Promise<Running> {
  const app = surfaces.public
  if (app === undefined) throw new TypeError('the gateway needs the public port')
  const ingest = upstream(settings.INGEST_URL)
  const processor = upstream(settings.PROCESSOR_URL)
  const { 'pipeline.ingest': ingestHere, 'pipeline.processor': processorHere } = offers
  addIngest(app, offers, ingest)
  addMessages(app, offers, processor)
  addStatusRoute(app, {
    ingest: ingestHere ? askHere(ingestHere.stats) : askElsewhere(ingest, ingestStatsShape),
    processor: processorHere ? askHere(processorHere.stats) : askElsewhere(processor, processorStatsShape),
  })
  const stop = async () => {
    await Promise.all([ingest.close(), processor.close()])
  }
  return { stop, [Symbol.asyncDispose]: stop }
}

function addIngest(app: App, offers: GatewayOffers, elsewhere: Upstream): void {
  const here = offers['pipeline.ingest']
  if (here !== undefined) return here.addIngestRoute(app, ingestPath)
  addProxiedRoute(app, {
    method: 'POST',
    path: ingestPath,
    target: () => '/ingest',
    upstream: elsewhere,
    schema: ingestSchema,
  })
}

/** The processor knows best: with a queue in memory it alone knows the messages. */
function addMessages(app: App, offers: GatewayOffers, elsewhere: Upstream): void {
  const here = offers['pipeline.messages']
  if (here !== undefined) return here.addMessageRoute(app, messagesPath)
  const path = `${messagesPath}/:messageId`
  addProxiedRoute(app, { method: 'GET', path, target: (asked) => asked, upstream: elsewhere, schema: messageSchema })
}
