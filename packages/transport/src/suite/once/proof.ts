import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Database, databaseMigrations, migrate, openDatabase } from '@headrace/database'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { inboxMigrations } from '@headrace/inbox'
import { logMigrations } from '@headrace/log'
import { relayMigrations } from '@headrace/relay'
import { type OnBackgroundError, withDeadline } from '@headrace/runtime'
import type { Message } from '../../message.ts'
import { postgresTransport } from '../../postgres.ts'
import type { Transport } from '../../transport.ts'
import {
  type CarrierHarness,
  type CarrierUnderTest,
  type CompositeHarness,
  type HarnessTraits,
  harnessesOf,
  type Sizes,
  suiteSizes,
} from '../harness.ts'
import { assertIds } from '../messages.ts'
import { appending, type Publisher, publisherOn, toAll, toOneByKey } from '../publisher.ts'
import { type Carried, openProcess, relaying, type SuiteProcess, usersOf } from './carried.ts'
import { Member } from './member.ts'

/**
 * How messages come into the carriers: `appended` to a log, which is the carrier or from which relays bring them to all,
 * as the platform runs; `relayed`: published by the suite as a relay would, so that it can send copies; `foreign`: from
 * elsewhere, each key through one carrier.
 */
export type Source = 'appended' | 'relayed' | 'foreign'

export interface Effect {
  readonly id: string
  readonly key: string
  readonly member: string
  readonly attempt: number
}

interface Parts {
  readonly source: Source
  readonly url: string
  readonly administration: Database
  /** None where the log is the carrier. */
  readonly carriers: readonly CarrierUnderTest[]
}

/** What a promise about carrier and inbox is proven with: a database, members, and the effects that they left. */
export class OnceProof implements AsyncDisposable {
  readonly topic = `suite-${randomUUID()}`
  readonly sizes: Sizes
  readonly source: Source
  readonly deadlineMs: number
  readonly limitBytes: number
  /** What went wrong in the background: infrastructure that a promise cuts off, above all. */
  readonly errors: string[] = []
  /** The log that relayed messages come from. */
  readonly #logId = randomUUID()
  readonly #parts: Parts
  readonly #open: AsyncDisposableStack
  #publisher: Publisher | undefined

  static async open(harness: CarrierHarness | CompositeHarness, source: Source): Promise<OnceProof> {
    await using opening = new AsyncDisposableStack()
    const { url } = opening.use(await testDatabase({ name: 'once' }))
    const administration = opening.use(openDatabase({ url, maxConnections: 2 }))
    await migrate(administration, [databaseMigrations, logMigrations, inboxMigrations, relayMigrations])
    await administration.query({
      text: `create table suite_effect (seq bigint generated always as identity, group_name text, member text, id text,
               key text, attempt int)`,
    })
    const carriers: CarrierUnderTest[] = []
    for (const part of harnessesOf(harness)) carriers.push(opening.use(await part.open()))
    const proof = new OnceProof(harness, { source, url, administration, carriers }, opening.move())
    for (const carrier of carriers) await carrier.declareTopic?.(proof.topic)
    await proof.publisher()
    return proof
  }

  private constructor(harness: HarnessTraits, parts: Parts, open: AsyncDisposableStack) {
    this.sizes = { ...suiteSizes, ...harness.sizes }
    this.deadlineMs = harness.deadlineMs ?? 60_000
    this.limitBytes = harness.messageLimitBytes ?? 921_600
    this.source = parts.source
    this.#parts = parts
    this.#open = open
  }

  /** Joins as a process of its own; `wrap` changes the carriers that it reads. */
  async member(wrap: (carrier: Transport) => Transport = (carrier) => carrier): Promise<Member> {
    const { url, administration } = this.#parts
    const carry = (process: SuiteProcess) => this.#carry(process, wrap)
    const member = await Member.open({ url, administration, topic: this.topic, carry, onError: this.#onError })
    return this.#open.use(member)
  }

  async #carry(process: SuiteProcess, wrap: (carrier: Transport) => Transport): Promise<Carried> {
    const { carriers, source } = this.#parts
    if (carriers.length > 0) {
      const users = await usersOf(carriers, wrap)
      return source === 'appended' ? relaying(process, this.topic, users) : users
    }
    const own = wrap(postgresTransport(process.log))
    return { carriers: [own], [Symbol.asyncDispose]: () => own.stop() }
  }

  /** The one producer of this proof. */
  async publisher(): Promise<Publisher> {
    this.#publisher ??= await this.newPublisher()
    return this.#publisher
  }

  /** A producer that begins anew: a relay that went back to the start of its log. */
  async newPublisher(): Promise<Publisher> {
    const { topic } = this
    if (this.source !== 'appended') return this.#publisherOnCarriers()
    const process = this.#open.use(await openProcess(this.#parts.url, this.#onError))
    await process.log.declareTopic(topic)
    this.#open.use(await this.#carry(process, (carrier) => carrier))
    return appending((messages) =>
      process.log.inTransaction((tx) => {
        for (const message of messages) tx.append({ ...message, topic })
      }),
    )
  }

  async #publisherOnCarriers(): Promise<Publisher> {
    const { topic } = this
    const options = this.source === 'relayed' ? { topic, log: this.#logId } : { topic }
    const users = this.#open.use(await usersOf(this.#parts.carriers, (carrier) => carrier))
    const publishers = await Promise.all(users.carriers.map((user) => publisherOn(user, options)))
    return this.source === 'relayed' ? toAll(publishers) : toOneByKey(publishers)
  }

  async put(messages: readonly Message[]): Promise<void> {
    await (await this.publisher()).put(messages)
  }

  /** Deletes the topic and makes it again. */
  async recreate(): Promise<void> {
    for (const carrier of this.#parts.carriers) await carrier.recreate?.(this.topic)
  }

  /** Effects of a group in the order in which they were written. */
  async effects(group: string): Promise<Effect[]> {
    const text = 'select id, key, member, attempt from suite_effect where group_name = $1 order by seq'
    const { rows } = await this.#parts.administration.query<Effect>({ text, values: [group] })
    return rows
  }

  async count(group: string): Promise<number> {
    const text = 'select count(*)::int as count from suite_effect where group_name = $1'
    const { rows } = await this.#parts.administration.query<{ count: number }>({ text, values: [group] })
    return rows[0]?.count ?? 0
  }

  /** Waits until a group has handled so many messages. */
  async handled(group: string, count: number): Promise<void> {
    let handled = 0
    const enough = async () => {
      handled = await this.count(group)
      return handled >= count
    }
    await this.until(`${count} messages handled by ${group}`, enough, () => `${handled} were`)
  }

  /** Waits for all of them, and asserts that each was handled once and those of a key in order. */
  async handledOnce(group: string, messages: readonly Message[]): Promise<Effect[]> {
    await this.handled(group, messages.length)
    const effects = await this.effects(group)
    const handled = Map.groupBy(effects, ({ key }) => key)
    for (const [key, sent] of Map.groupBy(messages, (message) => message.key)) {
      assertIds(
        (handled.get(key) ?? []).map(({ id }) => id),
        sent.map(({ id }) => id),
        `effects of ${group} on key ${key}`,
      )
    }
    assert.equal(effects.length, messages.length, `${effects.length} effects of ${messages.length} messages`)
    return effects
  }

  /** Waits for a condition; when it does not come about, says how things stand. */
  async until(what: string, condition: () => boolean | Promise<boolean>, state: () => string): Promise<void> {
    try {
      await untilTrue(what, condition, this.deadlineMs)
    } catch (error) {
      throw new Error(`${String(error)}; ${state()}. ${this.errors.slice(-5).join('; ')}`, { cause: error })
    }
  }

  within<T>(what: string, work: Promise<T>): Promise<T> {
    return withDeadline(work, this.deadlineMs, () => new Error(`not within ${this.deadlineMs} ms: ${what}`))
  }

  readonly #onError: OnBackgroundError = (error, name) => {
    this.errors.push(`${name}: ${String(error)}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.within('everything that was open is closed', this.#open.disposeAsync())
  }
}

/** Proves one promise about a carrier together with the inbox, and closes everything behind it. */
export async function proveOnce(
  harness: CarrierHarness | CompositeHarness,
  source: Source,
  promise: { prove(proof: OnceProof): Promise<void> },
): Promise<void> {
  await using proof = await OnceProof.open(harness, source)
  await promise.prove(proof)
}
