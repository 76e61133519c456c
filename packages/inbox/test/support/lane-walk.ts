import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { untilTrue } from '@headrace/database/testing'
import type { CarriedMessage } from '@headrace/transport'
import { type Consumer, type Delivery, MessageError } from '../../src/index.ts'
import { countEffects, effectsComplete, queueEmpty, recordEffects } from './effects.ts'
import { FakeCarrier } from './fake-carrier.ts'
import type { Random } from './random.ts'
import { joinWorld, keysIn, type Member, nextMessage, type World } from './world.ts'

type Logged = Omit<CarriedMessage, 'position' | 'at'>

const partitions = [0, 5]
const steps = 70

/**
 * A random walk over everything that may happen between a log elsewhere and a lane: messages that come by one carrier,
 * by the other, by both, late, again; holes; foreign messages; carriers made anew; owners that lose their session, are
 * robbed of their lease, or stop; connections that break; handlers that fail. In the end each key has had its messages,
 * once, in order.
 */
export class LaneWalk {
  readonly #world: World
  readonly #random: Random
  readonly #topic: string
  readonly #group: string
  readonly #log = randomUUID()
  readonly #carriers = [new FakeCarrier('a'), new FakeCarrier('b', 4)]
  /** What a carrier has not got yet, by its index. */
  readonly #late: Logged[][] = [[], []]
  readonly #produced = new Map<number, Logged[]>(partitions.map((partition) => [partition, []]))
  readonly #counts = new Map<string, number>()
  readonly #failures = new Map<string, number>()
  readonly #consumers = new Map<Member, Consumer>()
  /** What happened, for whoever looks into a failure. */
  readonly history: string[] = []

  constructor(world: World, random: Random, topic: string) {
    this.#world = world
    this.#random = random
    this.#topic = topic
    this.#group = `g-${topic}`
  }

  async run(): Promise<void> {
    const random = this.#random
    for (const carrier of this.#carriers) {
      carrier.rewind = () => random.below(6)
      carrier.batchSize = 1 + random.below(8)
    }
    // The first of a partition is on one carrier at least: a relay never leaves a hole for long.
    for (const partition of partitions) this.#spread(this.#next(partition), random.pick(['both', 0, 1]))
    await using first = await joinWorld(this.#world)
    await using second = await joinWorld(this.#world)
    const members = [first, second]
    for (const member of members) await this.#start(member)
    for (let step = 0; step < steps; step += 1) await this.#step(members)
    for (const [index] of this.#carriers.entries()) this.#deliverLate(index)
    for (const member of members) if (!this.#consumers.has(member)) await this.#start(member)
    await effectsComplete(this.#world.database, this.#topic, this.#counts)
    await queueEmpty(this.#world.database, this.#group)
  }

  async #step(members: readonly Member[]): Promise<void> {
    const random = this.#random
    const happens: readonly (readonly [number, string, () => Promise<void> | void])[] = [
      [30, 'produce', () => this.#produce()],
      [10, 'late', () => this.#deliverLate(random.below(2))],
      [10, 'again', () => this.#again()],
      [10, 'foreign', () => this.#foreign()],
      [3, 'recreate', () => this.#recreate()],
      [4, 'session', () => this.#loseSession(random.pick(members))],
      [8, 'rob', () => this.#rob(random.pick(members))],
      [4, 'stop or start', () => this.#stopOrStart(random.pick(members))],
      [6, 'break', () => this.#breakConnections()],
      [17, 'wait', () => delay(random.below(30))],
    ]
    let left = random.below(happens.reduce((sum, [weight]) => sum + weight, 0))
    const found = happens.find(([weight]) => {
      left -= weight
      return left < 0
    })
    if (found === undefined) return
    this.history.push(found[1])
    await found[2]()
  }

  #next(partition: number): Logged {
    const key = this.#random.pick(keysIn(partition, 3))
    const produced = this.#produced.get(partition) ?? []
    const origin = { log: this.#log, partition, offset: produced.length + 1, base: 0 }
    const message = { ...nextMessage(this.#counts, key), origin }
    produced.push(message)
    return message
  }

  #produce(): void {
    const partition = this.#random.pick(partitions)
    for (let n = this.#random.below(5); n >= 0; n -= 1) {
      this.#spread(this.#next(partition), this.#random.pick(['both', 'both', 0, 1, 'late']))
    }
  }

  #spread(message: Logged, where: 'both' | 'late' | 0 | 1): void {
    if (where === 'late') this.#late[this.#random.below(2)]?.push(message)
    for (const [index, carrier] of this.#carriers.entries()) {
      if (where === 'both' || where === index) carrier.put(message.origin?.partition ?? 0, message)
    }
  }

  #deliverLate(index: number): void {
    for (const message of this.#late[index]?.splice(0) ?? [])
      this.#carriers[index]?.put(message.origin?.partition ?? 0, message)
  }

  /** A relay that goes back: a range comes again. */
  #again(): void {
    const produced = this.#produced.get(this.#random.pick(partitions)) ?? []
    const from = this.#random.below(produced.length)
    for (const message of produced.slice(from, from + 8)) this.#spread(message, this.#random.pick([0, 1]))
  }

  #foreign(): void {
    const index = this.#random.below(2)
    const carrier = this.#carriers[index]
    if (carrier === undefined) return
    const partition = index === 0 ? this.#random.pick(partitions) : this.#random.pick([0, 1])
    const key = `foreign-${carrier.incarnation.slice(0, 8)}-${partition}`
    for (let n = this.#random.below(3); n >= 0; n -= 1)
      carrier.put(partition, nextMessage(this.#counts, key), this.#random.below(3))
  }

  /** Only what nobody has seen is lost with a topic: everything is done first, then the relay begins again. */
  async #recreate(): Promise<void> {
    for (const [index] of this.#carriers.entries()) this.#deliverLate(index)
    const members = [...this.#consumers.values()]
    if (members.length === 0) return
    const total = [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
    await untilTrue(`${total} effects before a topic is made anew`, async () => (await this.#done()) >= total, 60_000)
    const carrier = this.#random.pick(this.#carriers)
    carrier.recreate()
    for (const produced of this.#produced.values()) {
      for (const message of produced.slice(-10)) carrier.put(message.origin?.partition ?? 0, message)
    }
  }

  async #loseSession(member: Member): Promise<void> {
    await this.#world.database.query({
      text: `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid::bigint = $1`,
      values: [member.wakeUps.session ?? 0],
    })
  }

  /** The others take all that it owns; it learns nothing of it and goes on as a zombie until it meets the new epoch. */
  async #rob(member: Member): Promise<void> {
    await this.#world.database.query({
      text: `with robbed as (update headrace.member set subscriptions = '{}' where id = $1)
             select pg_notify('headrace_members', '')`,
      values: [member.membership.term?.id ?? null],
    })
    // Both read now.
    for (let round = 0; round < 4; round += 1) {
      await delay(this.#random.below(20))
      this.#produce()
    }
  }

  async #stopOrStart(member: Member): Promise<void> {
    const consumer = this.#consumers.get(member)
    if (consumer === undefined) return this.#start(member)
    this.#consumers.delete(member)
    await consumer.stop()
  }

  async #breakConnections(): Promise<void> {
    await this.#world.database.query({
      text: `select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and state = 'idle in transaction'`,
    })
  }

  async #start(member: Member): Promise<void> {
    const handle = async (tx: Parameters<typeof recordEffects>[0], messages: readonly Delivery[]) => {
      for (const message of messages) this.#mayFail(message)
      await recordEffects(tx, this.#topic, messages)
      await delay(this.#random.below(3))
    }
    const subscription = {
      group: this.#group,
      topic: this.#topic,
      handle,
      maxAttempts: 50,
      backoff: { baseMs: 2, maxMs: 10 },
    }
    this.#consumers.set(member, await member.consume(subscription, { carriers: this.#carriers }))
  }

  #mayFail({ id }: Delivery): void {
    const failures = this.#failures.get(id) ?? (this.#random.chance(0.08) ? 1 + this.#random.below(3) : 0)
    this.#failures.set(id, failures - 1)
    if (failures <= 0) return
    if (this.#random.chance(0.2)) throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    const error = new Error('fails at random')
    throw this.#random.chance(0.5) ? new MessageError(id, error) : error
  }

  #done(): Promise<number> {
    return countEffects(this.#world.database, this.#topic)
  }
}
