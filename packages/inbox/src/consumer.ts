import type { Database, MigrationSource } from '@headrace/database'
import type { Log } from '@headrace/log'
import { type FaultPoints, noFaults, type OnBackgroundError } from '@headrace/runtime'
import { logPartitions, type Transport } from '@headrace/transport'
import { Turns } from './exclusion.ts'
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

/** Batches of `work` at the same time: they only move messages into the queue. */
const queueingTurns = 4

/**
 * Joins a group and consumes a topic with it until stopped. Throws `TypeError` or `RangeError` for a malformed
 * subscription, and what the database throws; carriers may be away.
 */
export async function startConsumer(needs: ConsumerNeeds, subscription: Subscription): Promise<Consumer> {
  const rules = rulesOf(subscription)
  const { database, log, membership, carriers } = needs
  const parts = { ...needs, rules, events: needs.events ?? {}, faults: needs.faults ?? noFaults }
  await declareLeases(database, rules.group, rules.topic, logPartitions)
  if (carriers.some(({ isLog }) => isLog)) await declareLogLanes(database, log, rules)

  const resumer = new Resumer(parts)
  const turns = new Turns(rules.isWork ? queueingTurns : rules.concurrency)
  const room = (signal: AbortSignal) => (rules.isWork ? resumer.room(signal) : Promise.resolve())
  const reading = { ...parts, turns, room, onQueued: (count: number) => resumer.queued(count) }
  const leases = startLeases(
    { database, membership, onError: needs.onError },
    {
      group: rules.group,
      topic: rules.topic,
      partitions: logPartitions,
      start: (lease) => new PartitionReader(reading, lease),
    },
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
