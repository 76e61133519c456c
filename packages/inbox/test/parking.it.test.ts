import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { partitionOf } from '@headrace/transport'
import { dropParked, listParked, MessageError, PoisonMessageError, redriveParked } from '../src/index.ts'
import { assertEffects, effectsComplete, effectsOf, queueEmpty, queueLeft, recording } from './support/effects.ts'
import { randomParking } from './support/parking-walk.ts'
import { testSeed, withSeed } from './support/random.ts'
import { joinWorld, keysIn, openWorld, type World } from './support/world.ts'

const backoff = { baseMs: 5, maxMs: 20 }

describe('parking', () => {
  let world: World
  before(async () => {
    world = await openWorld()
  })
  after(() => world[Symbol.asyncDispose]())

  const seed = testSeed()
  for (const afterDeath of ['block', 'flow'] as const) {
    it(`keeps the order of every key and strands nothing while handlers fail at random (${afterDeath})`, () =>
      withSeed(seed, (random) => randomParking(world, random, { topic: `random-${afterDeath}`, afterDeath })))
  }

  it('a key that waits for its next attempt slows no other key of its partition', async () => {
    const topic = 'latency'
    const [hot = '', ...others] = keysIn(5, 4)
    await using member = await joinWorld(world)
    await world.log.declareTopic(topic)
    let healed = false
    await member.consume({
      group: 'g-latency',
      topic,
      backoff: { baseMs: 1_000, maxMs: 1_000 },
      maxAttempts: 1_000,
      handle: recording(topic, ({ key }) => {
        if (key === hot && !healed) throw new Error('not yet')
      }),
    })
    await world.produce(topic, [hot])
    const slowest = []
    for (let round = 0; round < 20; round += 1) {
      const since = performance.now()
      await world.produce(topic, [hot, ...others, hot])
      const done = async () => {
        const effects = await effectsOf(world.database, topic)
        return others.every((key) => effects.get(key)?.length === round + 1)
      }
      await untilTrue('the other keys are done', done)
      slowest.push(performance.now() - since)
    }
    assert.equal((await effectsOf(world.database, topic)).has(hot), false)
    const median = slowest.sort((a, b) => a - b)[10] ?? 0
    assert.ok(median < 400, `other keys took ${Math.round(median)} ms`)
    healed = true
    await effectsComplete(world.database, topic, world.produced(topic))
    await queueEmpty(world.database, 'g-latency')
  })

  it('a message stands at the same spot of its lane in every attempt', async () => {
    await using member = await joinWorld(world)
    await world.log.declareTopic('spot')
    const spots: unknown[] = []
    await member.consume({
      group: 'g-spot',
      topic: 'spot',
      backoff,
      handle(_tx, [message]) {
        spots.push(message?.spot)
        if (message?.attempt === 1) throw new Error('not yet')
      },
    })
    await world.produce('spot', ['k'])
    await untilTrue('the second attempt', () => spots.length === 2)
    const spot = { origin: world.log.id, partition: partitionOf('k'), offset: 1 }
    assert.deepEqual(spots, [spot, spot])
  })

  it('keys that are closed late lose nothing that comes meanwhile', async () => {
    const topic = 'closers'
    const keys = keysIn(7, 3)
    await world.log.declareTopic(topic)
    const faults = {
      at: (name: string) =>
        name === 'close.before-commit' ? new Promise<void>((go) => setTimeout(go, Math.random() * 30)) : undefined,
    }
    await using first = await joinWorld(world)
    await using second = await joinWorld(world)
    const seen = new Set<string>()
    const handle = recording(topic, ({ id }) => {
      if (seen.has(id) || !id.endsWith('0')) return
      seen.add(id)
      throw new Error('every tenth fails once')
    })
    for (const member of [first, second]) {
      await member.consume({ group: 'g-closers', topic, handle, backoff: { baseMs: 1, maxMs: 5 } }, { faults })
    }
    for (let round = 0; round < 120; round += 1) await world.produce(topic, keys)
    await effectsComplete(world.database, topic, world.produced(topic))
    await queueEmpty(world.database, 'g-closers')
  })

  it('what was handled ahead of the answer that its key is parked is undone, and done in its turn', async () => {
    const topic = 'ahead'
    const group = 'g-ahead'
    const [key = '', other = ''] = keysIn(9, 2)
    await using member = await joinWorld(world)
    await world.log.declareTopic(topic)
    const handled: string[] = []
    await member.consume({ group, topic, backoff, handle: recording(topic, ({ id }) => void handled.push(id)) })
    // Once a batch met nothing that is parked, the next ones are handled while they are fenced.
    for (const count of [1, 2]) {
      await world.produce(topic, [other])
      await untilTrue('it is done', async () => (await effectsOf(world.database, topic)).get(other)?.length === count)
    }
    // As another lane would have parked it.
    await world.database.query({
      text: `insert into headrace.parked_key (group_name, topic, key, state) values ($1, $2, $3, 'blocked')`,
      values: [group, topic, key],
    })
    await world.produce(topic, [key, other])
    await untilTrue('the other is done', async () => (await effectsOf(world.database, topic)).get(other)?.length === 3)
    assert.ok(handled.includes(`${key}#1`), 'nothing was handled ahead')
    assert.equal((await effectsOf(world.database, topic)).has(key), false)
    assert.equal((await queueLeft(world.database, group)).queued, 1)
    await world.database.query({
      text: `update headrace.parked_key set state = 'ready' where group_name = $1 and topic = $2`,
      values: [group, topic],
    })
    await effectsComplete(world.database, topic, world.produced(topic))
    await queueEmpty(world.database, group)
  })

  it('a blocked key waits for its dead message, which runs first when it is sent back', async () => {
    const topic = 'redrive'
    const [key = '', other = ''] = keysIn(2, 2)
    await using member = await joinWorld(world)
    await world.log.declareTopic(topic)
    let sick = true
    const handle = recording(topic, (message) => {
      if (sick && message.id === `${key}#2`) throw new Error('sick')
    })
    await member.consume({ group: 'g-redrive', topic, backoff, maxAttempts: 3, handle })
    await world.produce(topic, [key, key, key, key, other])
    await untilTrue('the message is dead', async () => (await queueLeft(world.database, 'g-redrive')).dead === 1)
    const [dead] = await listParked(world.database, { group: 'g-redrive' })
    assert.deepEqual(
      { state: dead?.state, attempts: dead?.attempts, code: dead?.code, error: dead?.error, id: dead?.messageId },
      { state: 'dead', attempts: 3, code: 'ATTEMPTS_EXHAUSTED', error: 'sick', id: `${key}#2` },
    )
    await untilTrue('the other key is done', async () => (await effectsOf(world.database, topic)).has(other))
    const blocked = await effectsOf(world.database, topic)
    assert.deepEqual([blocked.get(key), blocked.get(other)], [[`${key}#1`], [`${other}#1`]])
    sick = false
    await redriveParked(world.database, dead?.seq ?? 0)
    await effectsComplete(world.database, topic, world.produced(topic))
    await queueEmpty(world.database, 'g-redrive')
  })

  it('a dropped message has no effect and its key goes on', async () => {
    const topic = 'drop'
    const [key = ''] = keysIn(2, 1)
    await using member = await joinWorld(world)
    await world.log.declareTopic(topic)
    const handle = recording(topic, (message) => {
      if (message.id === `${key}#2`) throw new MessageError(message.id, new Error('sick'))
    })
    await member.consume({ group: 'g-drop', topic, backoff, maxAttempts: 2, handle })
    await world.produce(topic, [key, key, key])
    await untilTrue('the message is dead', async () => (await queueLeft(world.database, 'g-drop')).dead === 1)
    const [dead] = await listParked(world.database, { group: 'g-drop' })
    await dropParked(world.database, dead?.seq ?? 0)
    await untilTrue('the key goes on', async () => (await effectsOf(world.database, topic)).get(key)?.length === 2)
    assert.deepEqual((await effectsOf(world.database, topic)).get(key), [`${key}#1`, `${key}#3`])
    await queueEmpty(world.database, 'g-drop')
  })

  it('deciding about another message of a blocked key leaves it blocked', async () => {
    const topic = 'still-blocked'
    const [key = ''] = keysIn(2, 1)
    await using member = await joinWorld(world)
    await world.log.declareTopic(topic)
    const [other = ''] = keysIn(2, 1, 'other')
    const handle = recording(topic, ({ id, attempt }) => {
      if (id === `${key}#1`) throw new PoisonMessageError('unreadable')
      if (id === `${key}#2` || (id === `${other}#1` && attempt === 1)) throw new Error('sick')
    })
    await member.consume({ group: 'g-still', topic, backoff, maxAttempts: 2, handle })
    await world.produce(topic, [key, key, key])
    const blocked = async () => (await queueLeft(world.database, 'g-still')).dead === 2
    await untilTrue('both are dead', blocked)
    const parked = await listParked(world.database, { group: 'g-still' })
    const poison = parked.find(({ code }) => code === 'POISON_MESSAGE')
    await dropParked(world.database, poison?.seq ?? 0)
    // One of another key that is produced now has waited and was tried again: whoever looks for what is due has looked.
    await world.produce(topic, [key, other])
    await untilTrue('the other key', async () => (await effectsOf(world.database, topic)).has(other))
    assert.equal((await effectsOf(world.database, topic)).has(key), false, 'ran past the dead message')
  })

  it('an infrastructure error is no attempt: the lane waits, and then goes on', async () => {
    const topic = 'infrastructure'
    await using member = await joinWorld(world)
    await world.log.declareTopic(topic)
    let away = 8
    const attempts: number[] = []
    const handle = recording(topic, ({ attempt }) => {
      attempts.push(attempt)
      away -= 1
      if (away > 0) throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    })
    await member.consume({ group: 'g-infrastructure', topic, backoff, maxAttempts: 2, handle })
    await world.produce(topic, keysIn(2, 3))
    await effectsComplete(world.database, topic, world.produced(topic))
    assert.deepEqual([...new Set(attempts)], [1])
    assertEffects(await effectsOf(world.database, topic), world.produced(topic))
  })
})
