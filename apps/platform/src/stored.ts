import type { Metrics, PlatformError } from '@headrace/runtime'
import { type Station, type StationNeeds, station } from '@headrace/station'
import { type Base, openBase } from './base.ts'
import type { PlatformContext } from './context.ts'
import { openLogs } from './logs.ts'
import { openQueues, type Queues } from './queue.ts'
import { openRedis, type RedisStores } from './redis.ts'
import type { ProcessNeeds } from './start.ts'
import { placesOf, type StationName } from './stations.ts'

/** What roles get of databases and carriers. */
type StoredContext = Pick<
  PlatformContext,
  'stations' | 'database' | 'wakeUps' | 'log' | 'membership' | 'pipelineQueue' | 'internalToken'
>

/** The databases of a process and all that stands on them. */
export interface Stored {
  readonly context: StoredContext
  /** The carriers that a system of this process chose. */
  readonly carriersOf: Queues['inUseBy']
  /** Resolves when an embedded server has ended without being asked to. */
  readonly failed: Promise<PlatformError>
  stop(): Promise<void>
}

/** Opens the databases that the selected roles stand on, and makes their stations. */
export async function openStored(needs: ProcessNeeds, probes: PlatformContext['probes']): Promise<Stored> {
  await using stack = new AsyncDisposableStack()
  const { settings, selection, metrics } = needs
  const bases: Base[] = []
  for (const place of placesOf(selection.stations, settings)) bases.push(stack.use(await openBase(place, needs)))
  const redis = bases.length === 0 ? undefined : openRedis(settings, needs.onError)
  stack.use(redis)
  for (const base of bases) addProbes(base, bases.length > 1, probes)
  if (redis !== undefined) probes['keyvalue'] = () => redis.probe()
  else for (const base of bases) probes[named('keyvalue', base, bases.length > 1)] = () => base.keyvalue.get('ready')
  addPoolMetrics(bases, metrics)
  const logs = stack.use(openLogs(bases, needs, probes))
  const queues = stack.use(await openQueues(bases, logs, needs))
  for (const [name, probe] of queues.probes) probes[queues.probes.size > 1 ? `broker:${name}` : 'broker'] = probe
  const stations: Partial<Record<StationName, Station>> = {}
  for (const base of bases) {
    for (const name of base.place.stations) {
      const own = logs.ownOf(base.place.url)
      stations[name] = station({ ...base, own, ...redisOf(redis), ...carriageOf(queues, name, base), ...needs })
    }
  }
  const pipeline = pipelineOn(bases, queues)
  const parts = stack.move()
  // Roles use only what the catalogue says they stand on.
  const context = { stations, ...pipeline, ...internalToken(needs) } as StoredContext
  const failed = Promise.race([...bases.map((base) => base.failed), never()])
  return { context, carriersOf: queues.inUseBy, failed, stop: () => parts.disposeAsync() }
}

function redisOf(redis: RedisStores | undefined): Partial<RedisStores> {
  return redis === undefined ? {} : { keyvalue: redis.keyvalue, pubsub: redis.pubsub }
}

function never(): Promise<PlatformError> {
  return Promise.withResolvers<PlatformError>().promise
}

function internalToken({ settings: { INTERNAL_TOKEN } }: ProcessNeeds): { internalToken?: string } {
  return INTERNAL_TOKEN === undefined ? {} : { internalToken: INTERNAL_TOKEN }
}

function carriageOf(queues: Queues, name: StationName, base: Base): Pick<StationNeeds, 'carriers' | 'relay'> {
  return {
    carriers: (topic) => queues.carriers(name, base, topic),
    relay: (topic) => queues.relay(name, base, topic),
  }
}

function pipelineOn(bases: readonly Base[], { pipeline }: Queues): Partial<StoredContext> {
  const base = bases.find(({ place }) => place.stations.includes('pipeline'))
  if (base === undefined || pipeline === undefined) return {}
  const { database, wakeUps, log, membership } = base
  return { database, wakeUps, log, membership, pipelineQueue: pipeline }
}

function addProbes(base: Base, isOneOfMany: boolean, probes: PlatformContext['probes']): void {
  probes[named('database', base, isOneOfMany)] = () => base.database.query({ text: 'select 1' })
}

function named(probe: string, { place }: Base, isOneOfMany: boolean): string {
  return isOneOfMany ? `${probe}:${place.stations.join('+')}` : probe
}

function addPoolMetrics(bases: readonly Base[], metrics: Metrics): void {
  metrics.gauge({
    name: 'headrace_database_connections',
    help: 'Connections to the databases: in use, idle; and callers that wait for one.',
    labels: ['state'],
    collect(gauge) {
      const usages = bases.map(({ database }) => database.usage())
      const sum = (count: (usage: (typeof usages)[number]) => number) =>
        usages.reduce((all, one) => all + count(one), 0)
      gauge.set(
        { state: 'used' },
        sum(({ total, idle }) => total - idle),
      )
      gauge.set(
        { state: 'idle' },
        sum(({ idle }) => idle),
      )
      gauge.set(
        { state: 'waiting' },
        sum(({ waiting }) => waiting),
      )
    },
  })
}
