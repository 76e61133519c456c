import type { Database } from '@headrace/database'
import { declareLeases, type Membership, startLeases } from '@headrace/inbox'
import type { Log } from '@headrace/log'
import {
  type FaultPoints,
  type OnBackgroundError,
  type Running,
  sleep,
  startLoop,
  untilAborted,
} from '@headrace/runtime'
import { logPartitions, type Transport } from '@headrace/transport'
import { CursorMover } from './cursor-mover.ts'
import { declareCursors } from './cursors.ts'
import { recordHealth } from './health.ts'
import { PartitionRelay } from './partition-relay.ts'
import { Provider, type ProviderOptions } from './provider.ts'

export interface RelayNeeds {
  readonly database: Database
  readonly log: Log
  /** The log as a carrier. */
  readonly source: Transport
  readonly membership: Membership
  readonly faults: FaultPoints
  readonly onError: OnBackgroundError
  /** Told of each position that the provider has confirmed here. */
  readonly confirmed: (provider: string, topic: string, partition: number, position: number) => void
}

/** The relay of one topic to one provider in this process. */
export interface Relay extends Running {
  readonly provider: Provider
  /** Partitions that this process relays now. */
  readonly partitions: readonly number[]
  /** Goes back with a partition to what groups still need: the carrier has lost what it confirmed. */
  backToGroups(partition: number): void
}

/** Time in ms between two looks at a carrier's incarnation. */
const watchMs = 1_000

/**
 * Carries a topic of this database's log to a provider until stopped, sharing its partitions with other processes. The
 * provider may be away.
 */
export async function startRelay(
  needs: RelayNeeds,
  route: { readonly topic: string; readonly transport: Transport },
  options: ProviderOptions = {},
): Promise<Relay> {
  const { database, log, membership, onError } = needs
  const { topic, transport } = route
  const place = { provider: transport.name, topic }
  const group = relayGroup(transport.name)
  await declareLeases(database, { group, topic }, logPartitions)
  await declareCursors(database, place, log.id)

  const provider = new Provider(transport, topic, options)
  const mover = new CursorMover({ database, onError }, place)
  const running = new Map<number, PartitionRelay>()
  let incarnation: string | undefined
  const parts = {
    ...needs,
    logId: log.id,
    place,
    provider,
    mover,
    incarnation: () => incarnation,
    confirmed: (partition: number, position: number) => needs.confirmed(transport.name, topic, partition, position),
  }
  const leases = startLeases(
    { database, membership, onError },
    {
      group,
      topic,
      start(lease) {
        const relay = new PartitionRelay(parts, lease)
        running.set(lease.partition, relay)
        return relay
      },
    },
  )
  const watch = startLoop({
    name: `${transport.name} ${topic}`,
    async run(signal) {
      await recordHealth(database, place, provider.breaker)
      const seen = await untilAborted(incarnationOf(transport, topic, onError), signal)
      if (seen !== undefined && seen !== incarnation) {
        incarnation = seen
        provider.forgetPartitions()
        for (const relay of running.values()) relay.again()
      }
      await sleep(watchMs, signal)
    },
    onError,
  })
  const stop = async () => {
    await leases.stop()
    await watch.stop()
  }
  return {
    provider,
    get partitions() {
      return leases.held
    },
    backToGroups(partition) {
      // What was carried may be where nobody reads it.
      provider.forgetPartitions()
      running.get(partition)?.backToGroups()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function incarnationOf(transport: Transport, topic: string, onError: OnBackgroundError) {
  try {
    return (await transport.incarnationOf?.(topic)) ?? (await transport.held(topic, 0)).incarnation
  } catch (error) {
    onError(error, `${transport.name} ${topic}`)
    return undefined
  }
}

/** The group that a relay's leases and cursors are shown under. */
export function relayGroup(provider: string): string {
  return `relay:${provider}`
}
