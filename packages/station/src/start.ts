import type { Database, WakeUps } from '@headrace/database'
import { type ConsumerEvents, type Membership, type Subscription, startConsumer } from '@headrace/inbox'
import type { KeyValue, PubSub } from '@headrace/keyvalue'
import type { Log } from '@headrace/log'
import { type FaultPoints, type OnBackgroundError, PlatformError } from '@headrace/runtime'
import type { Transport } from '@headrace/transport'
import type { Station } from './station.ts'

export interface StationNeeds {
  readonly database: Database
  readonly wakeUps: WakeUps
  readonly log: Log
  readonly membership: Membership
  readonly keyvalue: KeyValue
  readonly pubsub: PubSub
  /** The log of this database as its own carrier. */
  readonly own: Transport
  /** Every carrier that may hold messages of a topic. */
  readonly carriers: (topic: string) => readonly Transport[]
  /** Carries what is appended to a topic of this log to the brokers in use; nothing unless given. */
  readonly relay?: (topic: string) => Promise<void>
  readonly faults: FaultPoints
  readonly onError: OnBackgroundError
}

/** Makes a station of parts that somebody else stops. */
export function station(needs: StationNeeds): Station {
  const { database, wakeUps, log, membership, keyvalue, pubsub, faults, onError } = needs
  const kept = new Set<string>()
  return {
    database,
    wakeUps,
    log,
    keyvalue,
    pubsub,
    async produces(topic) {
      await log.declareTopic(topic)
      await needs.relay?.(topic)
    },
    async keeps(topic) {
      kept.add(topic)
      await log.declareTopic(topic)
    },
    consume(subscription, events = {}) {
      const { topic } = subscription
      const carriers = kept.has(topic) ? [needs.own] : needs.carriers(topic)
      const told = withGaps(events, subscription, onError)
      return startConsumer({ database, log, membership, carriers, onError, faults, events: told }, subscription)
    },
  }
}

/** A gap is always told, also where the module does not listen for it. */
function withGaps(events: ConsumerEvents, { group }: Subscription, onError: OnBackgroundError): ConsumerEvents {
  return {
    ...events,
    gap(lane) {
      const { topic, partition, position } = lane
      const text = `message ${position + 1} of ${topic}/${partition} is on no carrier`
      onError(new PlatformError('LANE_GAP', text, { details: { group, topic, partition, position } }), group)
      events.gap?.(lane)
    },
  }
}
