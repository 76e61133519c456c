import assert from 'node:assert/strict'
import {
  type Database,
  databaseMigrations,
  type MigrationSource,
  migrate,
  openDatabase,
  startWakeUps,
  type WakeUps,
} from '@headrace/database'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { type Consumer, inboxMigrations, type Membership, startConsumer, startMembership } from '@headrace/inbox'
import { type Log, logMigrations, openLog } from '@headrace/log'
import { type FaultPoints, messageOf, noFaults } from '@headrace/runtime'
import type { Transport } from '@headrace/transport'
import { type Carriage, type CarriageOptions, openCarriage, relayMigrations } from '../../src/index.ts'
import { declareTableCarrier } from './table-carrier.ts'

export const migrations: readonly MigrationSource[] = [
  databaseMigrations,
  logMigrations,
  inboxMigrations,
  relayMigrations,
]

/** A process on a test's database: what it would hold, and what went wrong in its background. */
export interface Member extends AsyncDisposable {
  readonly url: string
  readonly database: Database
  readonly wakeUps: WakeUps
  readonly log: Log
  readonly membership: Membership
  readonly errors: string[]
  /** Relays a topic to these carriers, until the member is disposed or the carriage stopped. */
  carry(topic: string, carriers: readonly Transport[], options?: Partial<CarriageOptions>): Promise<Carriage>
  /** Records what it gets, in order, in table `effect`. */
  consume(topic: string, carriers: readonly Transport[], group?: string): Promise<Consumer>
  /** Stops all that carries and consumes. */
  letGo(): Promise<void>
}

/** A migrated database of its own and a member on it. */
export async function openWorld(): Promise<Member> {
  const created = await testDatabase({ name: 'relay' })
  const database = openDatabase({ url: created.url, maxConnections: 2, onError: () => {} })
  await migrate(database, migrations)
  await declareTableCarrier(database)
  await database.query({
    text: `create table effect (n bigint generated always as identity primary key, run text not null,
             key text not null, id text not null)`,
  })
  await database.stop()
  return joinWorld(created.url, { onEnd: () => created[Symbol.asyncDispose]() })
}

export interface MemberOptions {
  readonly faults?: FaultPoints
  readonly onEnd?: () => PromiseLike<unknown>
}

export async function joinWorld(url: string, options: MemberOptions = {}): Promise<Member> {
  const stack = new AsyncDisposableStack()
  if (options.onEnd !== undefined) stack.defer(async () => void (await options.onEnd?.()))
  const errors: string[] = []
  const onError = (error: unknown, name: string) => void errors.push(`${name}: ${messageOf(error)}`)
  const faults = options.faults ?? noFaults
  const database = stack.use(openDatabase({ url, maxConnections: 10, onError: () => {} }))
  const wakeUps = stack.use(startWakeUps({ url }))
  const log = stack.use(await openLog({ database, wakeUps, onError }))
  const membership = stack.use(startMembership({ database, wakeUps, onError }))
  const needs = { database, log, membership, onError, faults }
  const opened: AsyncDisposable[] = []
  const letGo = async () => {
    for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]()
  }
  stack.defer(letGo)
  return {
    url,
    database,
    wakeUps,
    log,
    membership,
    errors,
    async carry(topic, carriers, more = {}) {
      const open = (name: string) => carriers.find((carrier) => carrier.name === name) ?? assert.fail(name)
      const providers = carriers.map(({ name }) => name)
      const carriage = await openCarriage(needs, { providers, open, ...more })
      opened.push(carriage)
      await log.declareTopic(topic)
      await carriage.relay(topic)
      return carriage
    },
    async consume(topic, carriers, group = `g-${topic}`) {
      const consumer = await startConsumer(
        { ...needs, carriers },
        {
          group,
          topic,
          handle: async (tx, messages) => {
            await tx.query({
              text: 'insert into effect (run, key, id) select $1, k, i from unnest($2::text[], $3::text[]) as e(k, i)',
              values: [group, messages.map(({ key }) => key), messages.map(({ id }) => id)],
            })
          },
        },
      )
      opened.push(consumer)
      return consumer
    },
    letGo,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Counts what was produced, by key; ids say which one it is. */
export type Counts = Map<string, number>

/** Appends one message of each key, `rounds` times. */
export async function produce(log: Log, topic: string, counts: Counts, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    await log.inTransaction((tx) => {
      for (const key of keys) {
        const seq = (counts.get(key) ?? 0) + 1
        counts.set(key, seq)
        tx.append({ topic, id: `${key}#${seq}`, key, type: 'counted', headers: {}, body: Buffer.from(String(seq)) })
      }
    })
  }
}

/** Enough keys that every partition has some. */
export const keys = Array.from({ length: 48 }, (_, n) => `k${n}`)

/** Waits until each message has had its effect, then proves that each had it once and in the order of its key. */
export async function effectsComplete(member: Member, run: string, counts: Counts, deadlineMs = 60_000): Promise<void> {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const count = async () => {
    const { rows } = await member.database.query<{ count: number }>({
      text: 'select count(*) as count from effect where run = $1',
      values: [run],
    })
    return rows[0]?.count ?? 0
  }
  await untilTrue(`${total} effects of ${run}`, async () => (await count()) >= total, deadlineMs).catch(
    async (error: unknown) => {
      throw new Error(`${await count()} of ${total} effects; ${member.errors.slice(-5).join('; ')}`, { cause: error })
    },
  )
  const { rows } = await member.database.query<{ key: string; ids: string }>({
    text: `select key, string_agg(id, ' ' order by n) as ids from effect where run = $1 group by key`,
    values: [run],
  })
  const found = new Map(rows.map(({ key, ids }) => [key, ids]))
  for (const [key, last] of counts) {
    const expected = Array.from({ length: last }, (_, n) => `${key}#${n + 1}`).join(' ')
    assert.equal(found.get(key), expected, `effects of ${key}`)
  }
}

/** Waits until the relays of a topic have everything. */
export async function relayed(member: Member, topic: string, provider: string, deadlineMs = 60_000): Promise<void> {
  const lag = async () => {
    const { rows } = await member.database.query<{ lag: number }>({
      text: `select coalesce(sum(h.next_offset - 1 - c.position), -1)::bigint as lag from headrace.relay_cursor c
             join headrace.log_head h using (topic, partition) where c.topic = $1 and c.provider = $2`,
      values: [topic, provider],
    })
    return rows[0]?.lag ?? -1
  }
  await untilTrue(`${provider} has all of ${topic}`, async () => (await lag()) === 0, deadlineMs).catch(
    async (error: unknown) => {
      throw new Error(`lag ${await lag()}; ${member.errors.slice(-5).join('; ')}`, { cause: error })
    },
  )
}
