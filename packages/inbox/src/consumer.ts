import type { Database, MigrationSource } from '@headrace/database'
import type { Log } from '@headrace/log'
import { type FaultPoints, noFaults, type OnBackgroundError } from '@headrace/runtime'
import { logPartitions, type Transport } from '@headrace/transport'
import { Progress } from './carrier-reading.ts'
import { Combiner } from './combiner.ts'
import { Exclusion } from './exclusion.ts'
import { declareLogLanes } from './lanes.ts'
import { declareLeases, startLeases } from './leases.ts'
import type { Membership } from './membership.ts'
import { PartitionReader } from './partition-reader.ts'
import { Resumer } from './resumer.ts'
import { rulesOf } from './rules.ts'
import type { Consumer, ConsumerEvents, Subscription } from './types.ts'

/** This package's tables. Applied after the log's. */
export const inboxMigrations: MigrationSource = {
  name: 'inbox',
  schema: 'headrace',
  directory: new URL('../migrations/', import.meta.url),
}

export interface ConsumerNeeds {
  /** The consumer's own database: cursors and effects are committed there together. */
  readonly database: Database
  /** The log of that database, to which handlers append. */
  readonly log: Log
  readonly membership: Membership
  /** Every carrier that may hold messages of the topic. */
  readonly carriers: readonly Transport[]
  readonly onError: OnBackgroundError
  readonly events?: ConsumerEvents
  readonly faults?: FaultPoints
}

/**
 * Joins a group and consumes a topic with it until stopped. Throws `TypeError` or `RangeError` for a malformed
 * subscription, and what the database throws; carriers may be away.
 */
export async function startConsumer(needs: ConsumerNeeds, subscription: Subscription): Promise<Consumer> {
  const rules = rulesOf(subscription)
  const { database, log, membership } = needs
  const parts = {
    ...needs,
    rules,
    events: guarded(needs.events ?? {}, needs.onError),
    faults: needs.faults ?? noFaults,
  }
  await log.declareTopic(rules.topic)
  await declareLeases(database, rules, logPartitions)
  await declareLogLanes(database, log, rules)

  const exclusion = new Exclusion(membership.trials)
  const resumer = new Resumer({ ...parts, exclusion })
  const room = (signal: AbortSignal) => (rules.isWork ? resumer.room(signal) : Promise.resolve())
  const handling = { ...parts, onQueued: (count: number) => resumer.queued(count) }
  const combiner = new Combiner(handling, exclusion)
  const reading = { ...handling, exclusion, room, combiner, progress: new Progress() }
  const leases = startLeases(
    { database, membership, onError: needs.onError },
    { group: rules.group, topic: rules.topic, start: (lease) => new PartitionReader(reading, lease) },
  )
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= leases.stop().then(() => resumer.stop())
    return stopped
  }
  return {
    get partitions() {
      return leases.held
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** An observer that throws is told to the background, and never taken for a message that failed. */
function guarded(events: ConsumerEvents, onError: OnBackgroundError): Required<ConsumerEvents> {
  const guard = (tell: () => void) => {
    try {
      tell()
    } catch (error) {
      onError(error, 'consumer events')
    }
  }
  return {
    handled: (count) => guard(() => events.handled?.(count)),
    failed: (message, error) => guard(() => events.failed?.(message, error)),
    died: (message, code) => guard(() => events.died?.(message, code)),
    gap: (lane) => guard(() => events.gap?.(lane)),
  }
}
