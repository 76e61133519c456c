import type { App } from '@headrace/http-kit'
import { ingestSchema, ingestStatsShape, messageSchema, processorStatsShape } from '@headrace/pipeline/contract'
import type { Running } from '@headrace/runtime'
import type { GatewayContext } from './context.ts'
import type { GatewayOffers } from './contract.ts'
import { addProxiedRoute } from './proxy.ts'
import { type RemoteModule, type RemotePath, remoteModules } from './remote-modules.ts'
import { addStatusRoute, askElsewhere, askHere } from './status.ts'
import { addRemotePaths, addRemoteStreams } from './streaming-proxy.ts'
import { type Upstream, upstream } from './upstream.ts'

const ingestPath = '/api/v1/ingest'
const messagesPath = '/api/v1/messages'

/**
 * Mounts what runs in this process, hands on to what does not, and says how all of it is. A part that is away makes its
 * own paths fail and not the gateway: the status tells of it, readiness does not.
 */
export async function startGateway(context: GatewayContext): Promise<Running> {
  const { settings, surfaces, offers, readiness, runs } = context
  const app = surfaces.public
  if (app === undefined) throw new TypeError('the gateway needs the public port')
  const ingest = upstream(settings.INGEST_URL)
  const processor = upstream(settings.PROCESSOR_URL)
  const { 'pipeline.ingest': ingestHere, 'pipeline.processor': processorHere } = offers
  addIngest(app, offers, ingest)
  addMessages(app, offers, processor)
  addStatusRoute(app, {
    ingest: ingestHere ? askHere(ingestHere.stats, readiness) : askElsewhere(ingest, ingestStatsShape),
    processor: processorHere ? askHere(processorHere.stats, readiness) : askElsewhere(processor, processorStatsShape),
  })
  const elsewhere = remoteModules
    .filter(({ role }) => !runs(role))
    .map((module) => mount(module.onConsole && surfaces.console ? [app, surfaces.console] : [app], module, settings))
  const stop = async () => {
    await Promise.all([ingest, processor, ...elsewhere].map((upstream) => upstream.close()))
  }
  return { stop, [Symbol.asyncDispose]: stop }
}

function mount(apps: readonly App[], module: RemoteModule, settings: GatewayContext['settings']): Upstream {
  const { paths, setting } = module
  const elsewhere = upstream(settings[setting])
  const isStream = ({ stream }: RemotePath) => stream === true
  const answered = paths.filter((path) => !isStream(path))
  for (const app of apps) {
    addRemotePaths(app, { paths: answered, variable: setting, upstream: elsewhere })
    addRemoteStreams(app, { paths: paths.filter(isStream), variable: setting, upstream: elsewhere })
  }
  return elsewhere
}

function addIngest(app: App, offers: GatewayOffers, elsewhere: Upstream): void {
  const here = offers['pipeline.ingest']
  const target = () => '/ingest'
  if (here !== undefined) here.addIngestRoute(app, ingestPath)
  else addProxiedRoute(app, { method: 'POST', path: ingestPath, target, upstream: elsewhere, schema: ingestSchema })
}

/** The processor knows best: with a queue in memory it alone knows the messages. */
function addMessages(app: App, offers: GatewayOffers, elsewhere: Upstream): void {
  const here = offers['pipeline.messages']
  const path = `${messagesPath}/:messageId`
  const target = (asked: string) => asked
  if (here !== undefined) here.addMessageRoute(app, messagesPath)
  else addProxiedRoute(app, { method: 'GET', path, target, upstream: elsewhere, schema: messageSchema })
}
