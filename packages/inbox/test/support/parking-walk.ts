import assert from 'node:assert/strict'
import { untilTrue } from '@headrace/database/testing'
import {
  type Delivery,
  dropParked,
  listParked,
  MessageError,
  PoisonMessageError,
  redriveParked,
} from '../../src/index.ts'
import { effectsOf, queueEmpty, recordEffects } from './effects.ts'
import type { Random } from './random.ts'
import { joinWorld, type World } from './world.ts'

/** What becomes of a message: it fails a number of times, is poison, or dies and is then sent back or dropped. */
type Fate = { readonly kind: 'fails'; readonly times: number } | { readonly kind: 'poison' | 'sent back' | 'dropped' }

interface Walk {
  readonly topic: string
  readonly afterDeath: 'block' | 'flow'
}

const maxAttempts = 3
const rounds = 12
const keys = Array.from({ length: 12 }, (_, n) => `key${n}`)

/** Two members, hot keys, handlers that fail at random; somebody decides about the dead. */
export async function randomParking(world: World, random: Random, walk: Walk): Promise<void> {
  const { topic, afterDeath } = walk
  const group = `g-${topic}`
  await world.log.declareTopic(topic)
  const fates = new Fates(random)
  await using first = await joinWorld(world)
  await using second = await joinWorld(world)
  const handle = async (tx: Parameters<typeof recordEffects>[0], messages: readonly Delivery[]) => {
    for (const message of messages) fates.meet(message)
    await recordEffects(tx, topic, messages)
  }
  for (const member of [first, second]) {
    await member.consume({
      group,
      topic,
      handle,
      afterDeath,
      maxAttempts,
      maxMessages: 16,
      backoff: { baseMs: 2, maxMs: 10 },
    })
  }
  for (let round = 0; round < rounds; round += 1) {
    const hot = random.pick(keys)
    await world.produce(
      topic,
      Array.from({ length: 30 }, () => (random.chance(0.3) ? hot : random.pick(keys))),
    )
  }
  await untilTrue('everything is decided', () => decide(world, group, fates, afterDeath), 20_000)
  await queueEmpty(world.database, group)
  const effects = await effectsOf(world.database, topic)
  for (const [key, count] of world.produced(topic)) {
    assert.deepEqual(effects.get(key) ?? [], fates.expected(key, count, afterDeath), `effects of ${key}`)
  }
}

/** Decides about dead messages; true once all messages have met their fate and nothing waits. */
async function decide(world: World, group: string, fates: Fates, afterDeath: string): Promise<boolean> {
  const dead = (await listParked(world.database, { group, limit: 1_000 })).filter(({ state }) => state === 'dead')
  for (const { messageId, seq } of dead) {
    const fate = fates.of(messageId)
    if (fate.kind === 'sent back' && afterDeath === 'block') {
      fates.heal(messageId)
      await redriveParked(world.database, seq)
    } else if (fate.kind !== 'poison') await dropParked(world.database, seq)
  }
  const { rows } = await world.database.query<{ waiting: number }>({
    text: `select (select count(*) from headrace.parked_message where group_name = $1 and (state = 'queued' or code <> 'POISON_MESSAGE'))
             + (select sum(h.next_offset - 1 - l.position) from headrace.lane l
                join headrace.log_head h using (topic, partition) where l.group_name = $1) as waiting`,
    values: [group],
  })
  return dead.every(({ code }) => code === 'POISON_MESSAGE') && Number(rows[0]?.waiting) === 0
}

class Fates {
  readonly #random: Random
  readonly #fates = new Map<string, Fate>()
  readonly #met = new Map<string, number>()
  readonly #healed = new Set<string>()

  constructor(random: Random) {
    this.#random = random
  }

  of(id: string): Fate {
    const fate = this.#fates.get(id) ?? this.#draw()
    this.#fates.set(id, fate)
    return fate
  }

  heal(id: string): void {
    this.#healed.add(id)
  }

  /** Throws as long as it is this message's fate; half of the time it says which message it was. */
  meet({ id }: Delivery): void {
    const fate = this.of(id)
    const met = (this.#met.get(id) ?? 0) + 1
    this.#met.set(id, met)
    const error = this.#errorOf(fate, met, id)
    if (error !== undefined) throw this.#random.chance(0.5) ? new MessageError(id, error) : error
  }

  /** The effects of a key with this many messages. */
  expected(key: string, count: number, afterDeath: string): string[] {
    const ids = Array.from({ length: count }, (_, n) => `${key}#${n + 1}`)
    return ids.filter(
      (id) => this.of(id).kind === 'fails' || (this.of(id).kind === 'sent back' && afterDeath === 'block'),
    )
  }

  #errorOf(fate: Fate, met: number, id: string): Error | undefined {
    if (fate.kind === 'poison') return new PoisonMessageError('poison')
    if (fate.kind === 'fails') return met > fate.times ? undefined : new Error(`fails for the ${met}. time`)
    return this.#healed.has(id) ? undefined : new Error('dies')
  }

  #draw(): Fate {
    if (this.#random.chance(0.8)) return { kind: 'fails', times: 0 }
    // A first failure in a batch is repeated alone, at no cost of an attempt.
    if (this.#random.chance(0.6)) return { kind: 'fails', times: 1 + this.#random.below(maxAttempts - 1) }
    return { kind: this.#random.pick(['poison', 'sent back', 'dropped']) }
  }
}
