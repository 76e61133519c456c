import {
  type Database,
  databaseMigrations,
  migrate,
  openDatabase,
  startWakeUps,
  type WakeUps,
} from '@headrace/database'
import { testDatabase } from '@headrace/database/testing'
import { type Log, logMigrations, openLog } from '@headrace/log'
import { type FaultPoints, messageOf } from '@headrace/runtime'
import { partitionOf, postgresTransport, type Transport } from '@headrace/transport'
import {
  type Consumer,
  type ConsumerEvents,
  inboxMigrations,
  type Membership,
  type Subscription,
  startConsumer,
  startMembership,
} from '../../src/index.ts'
import { declareEffects } from './effects.ts'
import { type Interception, interceptedDatabase } from './statements.ts'

/** A migrated database with a log and a table of effects, shared by the tests of a file. */
export interface World extends AsyncDisposable {
  readonly url: string
  readonly database: Database
  readonly log: Log
  /** Appends messages with these keys in one transaction; each key counts its messages from 1. */
  produce(topic: string, keys: readonly string[]): Promise<void>
  /** How many messages each key of a topic has got. */
  produced(topic: string): ReadonlyMap<string, number>
}

export async function openWorld(url?: string): Promise<World> {
  const stack = new AsyncDisposableStack()
  const address = url ?? stack.use(await testDatabase({ name: 'inbox' })).url
  const database = stack.use(openDatabase({ url: address, maxConnections: 6, onError: () => {} }))
  await migrate(database, [databaseMigrations, logMigrations, inboxMigrations])
  await declareEffects(database)
  const wakeUps = stack.use(startWakeUps({ url: address }))
  const log = stack.use(await openLog({ database, wakeUps, onError: () => {} }))
  const counts = new Map<string, Map<string, number>>()
  const produced = (topic: string) => {
    const found = counts.get(topic) ?? new Map<string, number>()
    counts.set(topic, found)
    return found
  }
  return {
    url: address,
    database,
    log,
    produced,
    async produce(topic, keys) {
      await log.inTransaction((tx) => {
        for (const key of keys) tx.append({ ...nextMessage(produced(topic), key), topic })
      })
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** The next message of a key: its id says which one it is. */
export function nextMessage(counts: Map<string, number>, key: string) {
  const seq = (counts.get(key) ?? 0) + 1
  counts.set(key, seq)
  return { id: `${key}#${seq}`, key, type: 'counted', headers: {}, body: Buffer.from(String(seq)) }
}

/** Keys `<name>0`, `<name>1`, … that lie in this partition. */
export function keysIn(partition: number, count: number, name = 'k'): string[] {
  const keys: string[] = []
  for (let n = 0; keys.length < count; n += 1) if (partitionOf(`${name}${n}`) === partition) keys.push(`${name}${n}`)
  return keys
}

/** What a process would hold: a pool, a wake-up connection and a membership of its own. */
export interface Member extends AsyncDisposable {
  readonly database: Database
  readonly wakeUps: WakeUps
  readonly membership: Membership
  readonly log: Log
  readonly carrier: Transport
  /** What went wrong in the background, in words. */
  readonly errors: string[]
  consume(subscription: Subscription, options?: ConsumeOptions): Promise<Consumer>
}

export interface ConsumeOptions {
  readonly carriers?: readonly Transport[]
  readonly events?: ConsumerEvents
  readonly faults?: FaultPoints
}

export interface MemberOptions extends Interception {
  /** Where to connect instead of the world's database: a proxy to it. */
  readonly url?: string
}

export async function joinWorld(world: World, options: MemberOptions = {}): Promise<Member> {
  const errors: string[] = []
  const onError = (error: unknown, name: string) => void errors.push(`${name}: ${messageOf(error)}`)
  const url = options.url ?? world.url
  const stack = new AsyncDisposableStack()
  const pool = stack.use(openDatabase({ url, maxConnections: 10, onError: () => {} }))
  const database = interceptedDatabase(pool, options)
  const wakeUps = stack.use(startWakeUps({ url }))
  const log = stack.use(await openLog({ database, wakeUps, onError }))
  const membership = stack.use(startMembership({ database, wakeUps, onError }))
  const carrier = stack.use(postgresTransport(log))
  const consumers: Consumer[] = []
  return {
    database,
    wakeUps,
    membership,
    log,
    carrier,
    errors,
    async consume(subscription, more = {}) {
      const needs = { database, log, membership, onError, ...more, carriers: more.carriers ?? [carrier] }
      const consumer = await startConsumer(needs, subscription)
      consumers.push(consumer)
      return consumer
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(consumers.map((consumer) => consumer.stop()))
      await stack.disposeAsync()
    },
  }
}
