import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { untilTrue } from '@headrace/database/testing'
import { logPartitions, readDefaults } from '@headrace/transport'
import { listParked, PoisonMessageError, queueStatus } from '../src/index.ts'
import { countEffects, effectOf, effectsComplete, effectsOf, queueEmpty, queueLeft } from './support/effects.ts'
import { gate } from './support/gate.ts'
import { testSeed, withSeed } from './support/random.ts'
import { joinWorld, keysIn, openWorld, type World } from './support/world.ts'

const backoff = { baseMs: 5, maxMs: 20 }

describe('work', () => {
  let world: World
  before(async () => {
    world = await openWorld()
  })
  after(() => world[Symbol.asyncDispose]())

  it('is recorded once and in order for each key, however long it takes and however often it fails', () =>
    withSeed(testSeed(), async (random) => {
      const topic = 'random'
      await world.log.declareTopic(topic)
      const running = new Map<string, string>()
      const work = async (message: Parameters<typeof effectOf>[1]) => {
        assert.equal(running.get(message.key), undefined, `${message.id} runs beside ${running.get(message.key)}`)
        running.set(message.key, message.id)
        await delay(random.below(4))
        running.delete(message.key)
        if (random.chance(0.1)) throw new Error('fails at random')
        return effectOf(topic, message)
      }
      await using first = await joinWorld(world)
      await using second = await joinWorld(world)
      for (const member of [first, second]) {
        await member.consume({ group: 'g-random', topic, work, concurrency: 6, maxAttempts: 100, backoff })
      }
      const keys = Array.from({ length: 15 }, (_, n) => `key${n}`)
      for (let round = 0; round < 20; round += 1) {
        await world.produce(
          topic,
          Array.from({ length: 20 }, () => random.pick(keys)),
        )
      }
      await effectsComplete(world.database, topic, world.produced(topic))
      await queueEmpty(world.database, 'g-random')
    }))

  it('that does not end in its time is an attempt that failed', async () => {
    const topic = 'overdue'
    const [key = '', other = ''] = keysIn(3, 2)
    let aborted = 0
    await using member = await joinWorld(world)
    await world.log.declareTopic(topic)
    await member.consume({
      group: 'g-overdue',
      topic,
      workTimeoutMs: 50,
      maxAttempts: 2,
      backoff,
      work(message, { signal }) {
        if (message.id !== `${key}#1`) return effectOf(topic, message)
        signal.addEventListener('abort', () => (aborted += 1))
        return new Promise(() => {})
      },
    })
    await world.produce(topic, [key, key, other])
    await untilTrue('it is dead', async () => (await queueLeft(world.database, 'g-overdue')).dead === 1)
    const [dead] = await listParked(world.database, { group: 'g-overdue' })
    assert.equal(dead?.error, 'the work did not finish within 50 ms')
    assert.equal(aborted, 2)
    await untilTrue('the other key is done', async () => (await countEffects(world.database, topic)) === 1)
  })

  it('whose effect cannot be recorded is an attempt that failed, and what was finished before it stays recorded', async () => {
    const topic = 'effect-throws'
    const [key = ''] = keysIn(3, 1)
    let fails = 2
    await using member = await joinWorld(world)
    await world.log.declareTopic(topic)
    await member.consume({
      group: 'g-throws',
      topic,
      backoff,
      work: (message) => async (tx) => {
        if (message.id === `${key}#4`) throw new PoisonMessageError('cannot be recorded')
        await effectOf(topic, message)(tx)
        if (message.id !== `${key}#2`) return
        fails -= 1
        if (fails >= 0) await tx.query({ text: 'select 1 / 0' })
      },
    })
    await world.produce(topic, [key, key, key, key, key])
    await untilTrue('all others are done', async () => (await countEffects(world.database, topic)) === 4)
    assert.deepEqual(
      (await effectsOf(world.database, topic)).get(key),
      [1, 2, 3, 5].map((n) => `${key}#${n}`),
    )
    assert.equal((await queueLeft(world.database, 'g-throws')).dead, 1)
    assert.ok(fails < 0)
  })

  it('at hand is finished when the consumer stops, and the other keys go on elsewhere at once', async () => {
    const topic = 'stop'
    const keys = Array.from({ length: 10 }, (_, n) => `key${n}`)
    const slow = gate('work is at hand')
    await using first = await joinWorld(world)
    await using second = await joinWorld(world)
    await world.log.declareTopic(topic)
    const subscription = {
      group: 'g-stop',
      topic,
      concurrency: 2,
      work: (message: Parameters<typeof effectOf>[1]) => effectOf(topic, message),
    }
    const stopped = await first.consume({
      ...subscription,
      async work(message) {
        await slow.pass()
        return effectOf(topic, message)
      },
    })
    await world.produce(topic, [...keys, ...keys])
    await slow.reached
    const { term } = first.membership
    const stopping = stopped.stop()
    await second.consume(subscription)
    const others = keys.length * 2 - 2 * 2
    await untilTrue('the other keys are done', async () => (await countEffects(world.database, topic)) === others)
    slow.open()
    await stopping
    const { rowCount } = await world.database.query({
      text: 'select from headrace.parked_key where owner = $1',
      values: [term?.id],
    })
    assert.equal(rowCount, 0)
    await effectsComplete(world.database, topic, world.produced(topic))
  })

  it('leaves its backlog in the log beyond maxReady', async () => {
    const topic = 'backlog'
    const slow = gate('the queue is full')
    const maxReady = 100
    await using member = await joinWorld(world)
    await world.log.declareTopic(topic)
    await world.produce(
      topic,
      Array.from({ length: 7_000 }, (_, n) => `key${n % 500}`),
    )
    await member.consume({
      group: 'g-backlog',
      topic,
      maxReady,
      concurrency: 16,
      async work(message) {
        await slow.pass()
        return effectOf(topic, message)
      },
    })
    await untilTrue('the queue fills', async () => (await queueLeft(world.database, 'g-backlog')).queued >= maxReady)
    await delay(100)
    const lag = async () => (await queueStatus(world.database)).find(({ group }) => group === 'g-backlog')?.lag
    let queued = 0
    await untilTrue('what is not queued is the lag', async () => {
      queued = (await queueLeft(world.database, 'g-backlog')).queued
      return (await lag()) === 7_000 - queued
    })
    // Each partition may have had one batch under way.
    assert.ok(queued <= maxReady + logPartitions * readDefaults.maxMessages, `${queued} messages in the queue`)
    slow.open()
    await untilTrue('the lanes go on', async () => ((await lag()) ?? 0) < 7_000 - queued, 30_000)
  })

  it('of one blocked key does not fill the queue for the others', async () => {
    const topic = 'blocked-backlog'
    const [sick = '', ...others] = keysIn(3, 3)
    await using member = await joinWorld(world)
    await world.log.declareTopic(topic)
    await member.consume({
      group: 'g-blocked-backlog',
      topic,
      maxReady: 10,
      maxMessages: 5,
      maxAttempts: 1,
      work(message) {
        if (message.key === sick) throw new Error('sick')
        return effectOf(topic, message)
      },
    })
    await world.produce(topic, Array<string>(60).fill(sick))
    const blocked = async () => {
      const { dead, queued } = await queueLeft(world.database, 'g-blocked-backlog')
      return dead === 1 && queued === 59
    }
    await untilTrue('the key is blocked', blocked)
    await world.produce(topic, others)
    await untilTrue('the other keys are done', async () => (await countEffects(world.database, topic)) === 2)
  })

  for (const order of ['none', 'key'] as const) {
    it(`with order '${order}' ${order === 'none' ? 'does not wait' : 'waits'} behind a slow message of its key`, async () => {
      const topic = `order-${order}`
      const slow = gate('the first message runs')
      await using member = await joinWorld(world)
      await world.log.declareTopic(topic)
      await member.consume({
        group: `g-${topic}`,
        topic,
        order,
        async work(message) {
          if (message.id === 'a#1') await slow.pass()
          return effectOf(topic, message)
        },
      })
      await world.produce(topic, ['a', 'a', 'a'])
      await slow.reached
      if (order === 'none')
        await untilTrue('the others are done', async () => (await countEffects(world.database, topic)) === 2)
      else await delay(100)
      assert.equal(await countEffects(world.database, topic), order === 'none' ? 2 : 0)
      slow.open()
      await untilTrue('all are done', async () => (await countEffects(world.database, topic)) === 3)
      await queueEmpty(world.database, `g-${topic}`)
    })
  }

  it('claimed while the consumer stops is given back', async () => {
    const topic = 'claim-stop'
    const claiming = gate('a claim is under way')
    let armed = false
    await using member = await joinWorld(world, {
      answered: ({ name }) => (armed && name === 'parking.claim' ? claiming.pass() : undefined),
    })
    await world.log.declareTopic(topic)
    const subscription = {
      group: 'g-claim-stop',
      topic,
      work: (message: Parameters<typeof effectOf>[1]) => effectOf(topic, message),
    }
    const consumer = await member.consume(subscription)
    armed = true
    await world.produce(topic, ['a', 'b'])
    await claiming.reached
    const stopping = consumer.stop()
    await delay(50)
    claiming.open()
    await stopping
    assert.equal((await queueLeft(world.database, 'g-claim-stop')).owned, 0)
  })

  it('whose claim got no answer is done all the same', async () => {
    const topic = 'claim-lost'
    let lost = 0
    await using member = await joinWorld(world, {
      async answered({ name }) {
        if (name !== 'parking.claim' || lost >= 2 || (await queueLeft(world.database, 'g-claim-lost')).owned === 0)
          return
        lost += 1
        throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
      },
    })
    await world.log.declareTopic(topic)
    await member.consume({ group: 'g-claim-lost', topic, work: (message) => effectOf(topic, message) })
    await world.produce(topic, ['a', 'b', 'c'])
    await effectsComplete(world.database, topic, world.produced(topic))
    assert.equal(lost, 2)
    await queueEmpty(world.database, 'g-claim-lost')
  })
})
