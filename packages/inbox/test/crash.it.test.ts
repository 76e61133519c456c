import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import type { FaultPoint } from '@headrace/runtime'
import { listParked, type Subscription } from '../src/index.ts'
import { ConsumerProcess } from './support/consumer-process.ts'
import { countEffects, effectOf, effectsComplete, queueEmpty, queueLeft, recording } from './support/effects.ts'
import { seededRandom, testSeed } from './support/random.ts'
import { joinWorld, keysIn, openWorld, type World } from './support/world.ts'

const keys = ['a', 'b', 'c', 'd', 'e', 'f']
const failing = ['#3', '#7']
const deaths: readonly (readonly [FaultPoint, 'handle' | 'work'])[] = [
  ['takeover.before-commit', 'handle'],
  ['takeover.after-commit', 'handle'],
  ['batch.before-open', 'handle'],
  ['batch.after-open', 'handle'],
  ['batch.before-commit', 'handle'],
  ['batch.after-commit', 'handle'],
  ['park.before-commit', 'handle'],
  ['park.after-commit', 'handle'],
  ['resume.after-claim', 'handle'],
  ['resume.before-commit', 'handle'],
  ['resume.after-commit', 'handle'],
  ['work.after-claim', 'work'],
  ['work.after-run', 'work'],
  ['work.after-commit', 'work'],
  ['close.before-commit', 'work'],
]

/** What the killed consumer did, without its failures. */
function subscriptionOf(topic: string, mode: 'handle' | 'work'): Subscription {
  const how: Pick<Subscription, 'handle' | 'work'> =
    mode === 'handle' ? { handle: recording(topic) } : { work: (message) => effectOf(topic, message) }
  return { group: `g-${topic}`, topic, ...how }
}

describe('a consumer that is killed', { concurrency: 2 }, () => {
  let world: World
  before(async () => {
    world = await openWorld()
  })
  after(() => world[Symbol.asyncDispose]())

  const random = seededRandom(testSeed())
  for (const [point, mode] of deaths) {
    // Batches and closings gather what there is, so that a second passage need not come.
    const passage = /^(batch|close)/.test(point) ? 1 : 1 + random.below(3)
    it(`at ${point} (${mode}, passage ${passage}) leaves each effect once`, async () => {
      const topic = `${mode}-${point}`
      await world.log.declareTopic(topic)
      for (let n = 0; n < 9; n += 1) await world.produce(topic, keys)
      const plan = { url: world.url, subscriptions: [{ topic, mode }], failing }
      await using dying = new ConsumerProcess(plan, `${point}=kill@${passage}`)
      await dying.killed()
      await using survivor = await joinWorld(world)
      await survivor.consume(subscriptionOf(topic, mode))
      await effectsComplete(world.database, topic, world.produced(topic))
      await queueEmpty(world.database, `g-${topic}`)
    })
  }

  it('while a message is on trial leaves each effect once', async () => {
    const topic = 'trial'
    await world.log.declareTopic(topic)
    for (let n = 0; n < 9; n += 1) await world.produce(topic, keys)
    const plan = { url: world.url, subscriptions: [{ topic, mode: 'handle' as const }], failing }
    for (const faults of ['batch.before-commit=kill', 'trial.after-record=kill@4']) {
      await using dying = new ConsumerProcess(plan, faults)
      await dying.killed()
    }
    await using survivor = await joinWorld(world)
    await survivor.consume(subscriptionOf(topic, 'handle'))
    await effectsComplete(world.database, topic, world.produced(topic))
  })

  /** Starts consumers, one after the other, until one survives; returns how many died. */
  async function restartUntilDone(
    topic: string,
    plan: Omit<ConstructorParameters<typeof ConsumerProcess>[0], 'url'>,
    effects: number,
  ) {
    for (let died = 0; died < 8; died += 1) {
      await using consumer = new ConsumerProcess({ ...plan, url: world.url })
      const isDone = async () =>
        (await countEffects(world.database, topic)) >= effects &&
        (await queueLeft(world.database, `g-${topic}`)).dead > 0
      await untilTrue('dead or done', async () => !consumer.isRunning || (await isDone()), 60_000)
      if (consumer.isRunning) return died
    }
    throw new Error('eight consumers died')
  }

  for (const mode of ['handle', 'work'] as const) {
    it(`by the same message again and again goes on without it, and blames no other (${mode})`, async () => {
      const topic = `killer-${mode}`
      await world.log.declareTopic(topic)
      const [killer = '', ...beside] = keysIn(3, 3)
      // They run or wait beside the killer whenever it kills.
      const slow = [4, 5, 6, 7].flatMap((partition) => keysIn(partition, 1))
      await world.produce(topic, [...slow, ...beside, killer, ...beside, killer])
      const effects = slow.length + 2 * beside.length + 1
      const plan = { subscriptions: [{ topic, mode }], killedBy: `${killer}#1`, afterDeath: 'flow' } as const
      const died = await restartUntilDone(topic, { ...plan, slow: slow.map((key) => `${key}#1`), slowMs: 250 }, effects)
      const dead = await listParked(world.database, { group: `g-${topic}` })
      assert.deepEqual(
        dead.map(({ messageId, code }) => [messageId, code]),
        [[`${killer}#1`, 'CONSUMER_KILLED']],
      )
      // The first death of a batch does not say which message it was.
      assert.equal(died, mode === 'handle' ? 4 : 3)
      assert.equal(await countEffects(world.database, topic), effects)
    })
  }

  it('by a message of one subscription blames none of another that runs meanwhile', async () => {
    const [killing, innocent] = ['killer-elsewhere', 'innocent']
    const [killer = '', slow = ''] = keysIn(3, 2)
    for (const topic of [killing, innocent]) await world.log.declareTopic(topic)
    await world.produce(killing, [killer])
    await world.produce(innocent, [slow])
    const subscriptions = [killing, innocent].map((topic) => ({ topic, mode: 'handle' as const }))
    const plan = { subscriptions, killedBy: `${killer}#1`, slow: [`${slow}#1`], slowMs: 500 }
    await restartUntilDone(killing, plan, 0)
    await using survivor = new ConsumerProcess({ ...plan, url: world.url })
    assert.equal((await listParked(world.database, { group: `g-${killing}` })).length, 1)
    const blamed = () => listParked(world.database, { group: `g-${innocent}` })
    const isDecided = async () => (await countEffects(world.database, innocent)) > 0 || (await blamed()).length > 0
    await untilTrue('the innocent one is decided', isDecided)
    assert.deepEqual(await blamed(), [])
    assert.ok(survivor.isRunning, survivor.noise)
  })

  it('or only stopped past its lease, and goes on, changes nothing', async () => {
    const [handled, worked] = ['paused-handle', 'paused-work']
    for (const topic of [handled, worked]) await world.log.declareTopic(topic)
    const subscriptions = [
      { topic: handled, mode: 'handle' },
      { topic: worked, mode: 'work' },
    ] as const
    const [slow = '', ...others] = keysIn(3, 3)
    const plan = { url: world.url, subscriptions }
    // In the middle of a batch, after its effects were written, and of work, before it is recorded.
    await using paused = new ConsumerProcess({ ...plan, slow: [`${slow}#1`], slowMs: 400 })
    await untilTrue('it has started', () => paused.said.some(({ kind }) => kind === 'started'))
    await world.produce(handled, [slow, ...others])
    await world.produce(worked, [slow, ...others])
    await untilTrue('both run', async () => (await running()) && paused.said.length >= 1)
    paused.signal('SIGSTOP')
    await using next = new ConsumerProcess(plan)
    for (const topic of [handled, worked]) await effectsComplete(world.database, topic, world.produced(topic))
    paused.signal('SIGCONT')
    for (let round = 0; round < 5; round += 1) {
      for (const topic of [handled, worked]) await world.produce(topic, [slow, ...others, ...keys])
    }
    for (const topic of [handled, worked]) {
      await effectsComplete(world.database, topic, world.produced(topic))
      await queueEmpty(world.database, `g-${topic}`)
    }
    assert.ok(paused.isRunning && next.isRunning, paused.noise + next.noise)

    /** A batch is open and the work's key is claimed. */
    async function running(): Promise<boolean> {
      const { rowCount } = await world.database.query({
        text: `select from pg_stat_activity where datname = current_database() and state = 'idle in transaction'`,
      })
      return rowCount > 0 && (await queueLeft(world.database, `g-${worked}`)).owned > 0
    }
  })
})
