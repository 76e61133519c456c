import type { Database, WakeUps } from '@headrace/database'
import type { Consumer, ConsumerEvents, Subscription } from '@headrace/inbox'
import type { KeyValue, PubSub } from '@headrace/keyvalue'
import type { Log } from '@headrace/log'

/**
 * What a module stands on: one database with the log in it, the carriers of its system, and what is shared between
 * replicas. Modules that are set to the same database are given the same station; business code cannot tell.
 */
export interface Station {
  readonly database: Database
  readonly wakeUps: WakeUps
  /** The log of this database: what a module appends in a transaction of its own. */
  readonly log: Log
  /** Values that expire: in this database, or in Redis. What must not be lost is never only there. */
  readonly keyvalue: KeyValue
  /** Hints between replicas; any may be lost. */
  readonly pubsub: PubSub
  /**
   * Declares a topic that this module appends to. From then on what is appended to it is carried to the brokers in use.
   */
  produces(topic: string): Promise<void>
  /**
   * Declares a topic that this module appends to and only it consumes, in the same database: a step of its own after a
   * commit. It is never carried to a broker. To be called before `consume`.
   */
  keeps(topic: string): Promise<void>
  /**
   * Joins a group and consumes a topic until stopped, from every carrier that may hold its messages; cursors and
   * effects are committed in this database. Throws as `startConsumer`; brokers and other databases may be away.
   */
  consume(subscription: Subscription, events?: ConsumerEvents): Promise<Consumer>
}
