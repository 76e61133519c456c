import type { Probe } from '@headrace/http-kit'
import type { PipelineContext } from '@headrace/pipeline/module'
import { type Carriage, openCarriage } from '@headrace/relay'
import { memoryTransport, type Transport } from '@headrace/transport'
import type { Base } from './base.ts'
import { openBrokers } from './brokers.ts'
import type { Logs } from './logs.ts'
import { processorProbe } from './processor-probe.ts'
import { providersOf, queueTypeOf, waitsFor } from './queue-choice.ts'
import type { PlatformSettings } from './settings.ts'
import type { ProcessNeeds } from './start.ts'
import { type StationName, type System, systemOf } from './stations.ts'

type PipelineQueue = PipelineContext['pipelineQueue']

/** What carries messages in a process. */
export interface Queues extends AsyncDisposable {
  /** Every carrier that may hold messages of a topic, for a station of this process. */
  carriers(station: StationName, base: Base, topic: string): readonly Transport[]
  /** Carries what a station appends to a topic to the brokers in use. */
  relay(station: StationName, base: Base, topic: string): Promise<void>
  /** What the pipeline accepts and reads through, where its station is. */
  readonly pipeline: PipelineQueue | undefined
  /** How each carrier in use is asked, by the name under which it is shown. */
  readonly probes: ReadonlyMap<string, Probe>
  /** The carriers that a system chose. */
  inUseBy(system: System): readonly Transport[]
}

/** Opens the carriers that the settings ask for, for each database and system. Brokers may be away. */
export async function openQueues(bases: readonly Base[], logs: Logs, needs: ProcessNeeds): Promise<Queues> {
  await using stack = new AsyncDisposableStack()
  const { settings, selection } = needs
  const holdsMemory = selection.has('pipeline:processor')
  const brokers = stack.use(openBrokers(settings))
  const memory = stack.use(
    memoryTransport({ maxMessages: settings.QUEUE_SIZE, messageLimitBytes: settings.MESSAGE_LIMIT_BYTES }),
  )
  const open = (provider: string) => (provider === 'memory' ? memory : brokers.open(provider))
  const carriages = new Map<string, Carriage>()
  for (const base of bases) {
    for (const system of systemsOf(base)) {
      const options = { providers: providersOf(system, settings, holdsMemory), open }
      carriages.set(named(base, system), stack.use(await openCarriage({ ...base, ...needs }, options)))
    }
  }
  const carriageOf = (station: StationName, base: Base) => {
    const carriage = carriages.get(named(base, systemOf[station]))
    if (carriage === undefined) throw new RangeError(`station: '${station}' is not in this process`)
    return carriage
  }
  const own = bases.find(({ place }) => place.stations.includes('pipeline'))
  const pipeline = own && pipelineQueue(carriageOf('pipeline', own), memory, needs)
  const parts = stack.move()
  return {
    carriers: (station, base, topic) =>
      carriageOf(station, base)
        .carriers(topic)
        .map((carrier) => (carrier.isLog ? logs.carrierOf(topic, base.place.url) : carrier)),
    relay: (station, base, topic) => carriageOf(station, base).relay(topic),
    pipeline,
    probes: new Map([...memoryProbe(pipeline, settings), ...carrierProbes(bases, carriages, pipeline)]),
    inUseBy: (system) => bases.flatMap((base) => carriages.get(named(base, system))?.inUse ?? []),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

function carrierProbes(
  bases: readonly Base[],
  carriages: ReadonlyMap<string, Carriage>,
  pipeline: PipelineQueue | undefined,
): [string, Probe][] {
  // What is handed over to another process goes through no carrier of this one.
  const isIdle = (system: System) => system === 'pipeline' && pipeline?.type === 'remote-memory'
  return bases.flatMap((base) =>
    [...systemsOf(base)]
      .filter((system) => !isIdle(system))
      .flatMap((system) => carriages.get(named(base, system))?.inUse ?? [])
      .map((carrier) => {
        const name = carrier.isLog && bases.length > 1 ? base.place.stations.join('+') : carrier.name
        return [name, (signal) => carrier.probe(signal)]
      }),
  )
}

function systemsOf({ place }: Base): ReadonlySet<System> {
  return new Set(place.stations.map((name) => systemOf[name]))
}

function named({ place }: Base, system: System): string {
  return `${system} ${place.url ?? ''}`
}

/** How memory is asked: where it is another process's, that process. */
function memoryProbe(pipeline: PipelineQueue | undefined, { PROCESSOR_URL }: PlatformSettings): [string, Probe][] {
  switch (pipeline?.type) {
    case 'memory':
      return [['memory', (signal) => pipeline.transport.probe(signal)]]
    case 'remote-memory':
      return [['memory', processorProbe(PROCESSOR_URL)]]
    default:
      return []
  }
}

/** With memory, what an earlier setting left in the log or on a broker is still read. */
function pipelineQueue(
  carriage: Carriage,
  memory: ReturnType<typeof memoryTransport>,
  needs: ProcessNeeds,
): PipelineQueue {
  const { settings, selection } = needs
  const type = queueTypeOf('pipeline', settings)
  if (type === 'memory') {
    if (!selection.has('pipeline:processor')) return { type: 'remote-memory' }
    return { type: 'memory', transport: memory, carriage }
  }
  const mode = waitsFor(settings)
  return {
    type: 'log',
    carriage,
    isComposite: type === 'composite',
    durability:
      mode === 'all' && carriage.inUse.some(({ durability }) => durability === 'replicated') ? 'replicated' : 'disk',
    ...(mode !== undefined && { waitsFor: mode }),
  }
}
