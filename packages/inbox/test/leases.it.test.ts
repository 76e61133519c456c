import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { startLoop } from '@headrace/runtime'
import { logPartitions } from '@headrace/transport'
import type { Consumer } from '../src/index.ts'
import { leaseMs } from '../src/membership.ts'
import { countEffects, effectsComplete, recording } from './support/effects.ts'
import { joinWorld, keysIn, type Member, openWorld, type World } from './support/world.ts'

const manyKeys = Array.from({ length: 64 }, (_, n) => `k${n}`)

/** Each partition is held by exactly one of them, and nobody holds more than one partition more than another. */
function isFairlyShared(consumers: readonly Consumer[]): boolean {
  const held = consumers.flatMap(({ partitions }) => partitions)
  const counts = consumers.map(({ partitions }) => partitions.length)
  const complete = held.length === logPartitions && new Set(held).size === logPartitions
  return complete && Math.max(...counts) - Math.min(...counts) <= 1
}

function readsAll(consumer: Consumer, member: Member): boolean {
  return member.membership.term?.signal.aborted === false && consumer.partitions.length === logPartitions
}

describe('leases', () => {
  let world: World
  before(async () => {
    world = await openWorld()
  })
  after(() => world[Symbol.asyncDispose]())

  async function start(topic: string, member: Member): Promise<Consumer> {
    await world.log.declareTopic(topic)
    return member.consume({ group: `g-${topic}`, topic, handle: recording(topic) })
  }

  function startLoad(topic: string, keys: readonly string[]) {
    return startLoop({ name: 'load', run: () => world.produce(topic, keys), onError: () => {} })
  }

  /** A member's session as the server sees it: whoever ends it takes the member's leases away. */
  async function endSession(member: Member): Promise<void> {
    await world.database.query({
      text: `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid::bigint = $1`,
      values: [member.wakeUps.session],
    })
  }

  it('members share partitions fairly while they come and go under load, and each message has its effect once', async () => {
    const topic = 'share'
    const members: Member[] = []
    const consumers: Consumer[] = []
    await world.log.declareTopic(topic)
    await using load = startLoad(topic, manyKeys)
    for (let n = 1; n <= 4; n += 1) {
      const member = await joinWorld(world)
      members.push(member)
      consumers.push(await start(topic, member))
      await untilTrue(`${n} members share fairly`, () => isFairlyShared(consumers))
    }
    while (consumers.length > 1) {
      await consumers.shift()?.stop()
      await untilTrue(`${consumers.length} members share fairly`, () => isFairlyShared(consumers))
    }
    await load.stop()
    await effectsComplete(world.database, topic, world.produced(topic))
    for (const member of members) await member[Symbol.asyncDispose]()
  })

  it('what a consumer releases when it stops is taken over at once, not after its lease', async () => {
    await using first = await joinWorld(world)
    await using second = await joinWorld(world)
    const consumers = [await start('release', first), await start('release', second)]
    await untilTrue('both share', () => isFairlyShared(consumers))
    await consumers[0]?.stop()
    const stoppedAt = performance.now()
    await untilTrue('the other reads all', () => consumers[1]?.partitions.length === logPartitions)
    const tookMs = performance.now() - stoppedAt
    assert.ok(tookMs < leaseMs / 2, `took ${Math.round(tookMs)} ms`)
  })

  it('a member that loses its session gives up its leases and takes them again, without a double effect', async () => {
    const topic = 'session'
    await using member = await joinWorld(world)
    const consumer = await start(topic, member)
    await using load = startLoad(topic, manyKeys.slice(0, 8))
    for (let round = 0; round < 3; round += 1) {
      await untilTrue('all partitions are read in a term', () => readsAll(consumer, member))
      const { term } = member.membership
      await endSession(member)
      await untilTrue('the term is over', () => term?.signal.aborted === true)
    }
    await load.stop()
    await effectsComplete(world.database, topic, world.produced(topic))
  })

  it('an old owner’s batch is dropped', async () => {
    const topic = 'fenced'
    const key = keysIn(3, 1)[0] ?? ''
    await using old = await joinWorld(world)
    const entered = Promise.withResolvers<void>()
    const resume = Promise.withResolvers<void>()
    await world.log.declareTopic(topic)
    const consumer = await old.consume(
      {
        group: 'g-fenced',
        topic,
        handle: recording(topic),
      },
      {
        faults: {
          async at(name) {
            if (name !== 'batch.before-open') return
            entered.resolve()
            await resume.promise
          },
        },
      },
    )
    await world.produce(topic, [key])
    await entered.promise
    const { rows } = await world.database.query<{ epoch: number }>({
      text: `update headrace.lease set epoch = epoch + 1 where group_name = 'g-fenced' and partition = 3 returning epoch`,
    })
    await world.database.query({
      text: `update headrace.lane set epoch = $1 where group_name = 'g-fenced' and partition = 3`,
      values: [rows[0]?.epoch],
    })
    const before = await countEffects(world.database, topic)
    resume.resolve()
    await untilTrue('the old owner gave the partition up', () => !consumer.partitions.includes(3))
    assert.equal(before, 0)
    assert.equal(await countEffects(world.database, topic), 0)
  })

  it('a lease whose answer was lost is read all the same', async () => {
    const topic = 'lost-lease'
    let lost = 0
    await using member = await joinWorld(world, {
      answered({ name }) {
        if (name === 'lease.take' && lost++ === 0)
          throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
      },
    })
    const consumer = await start(topic, member)
    await world.produce(topic, manyKeys)
    await untilTrue('all partitions are read', () => consumer.partitions.length === logPartitions)
    await effectsComplete(world.database, topic, world.produced(topic))
  })

  it('a lease whose release failed is taken by the member that misses it', async () => {
    const topic = 'lost-release'
    let failed = 0
    await using first = await joinWorld(world, {
      before({ name }) {
        if (name === 'lease.release' && failed++ === 0) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
      },
    })
    await using second = await joinWorld(world)
    const consumers = [await start(topic, first)]
    await untilTrue('the first reads all', () => isFairlyShared(consumers))
    consumers.push(await start(topic, second))
    await untilTrue('both share', () => isFairlyShared(consumers))
  })

  it('a member that was silent for too long begins anew, although its session lives', async () => {
    const topic = 'silent'
    await using silent = await joinWorld(world)
    await using other = await joinWorld(world)
    const consumers = [await start(topic, silent), await start(topic, other)]
    await untilTrue('both share', () => isFairlyShared(consumers))
    const { term } = silent.membership
    // As if the process had been stopped: its row is old when it wakes.
    const taken = async () => {
      await world.database.query({
        text: `update headrace.member set seen_at = seen_at - interval '1 minute' where id = $1 and seen_at > now() - interval '10 s'`,
        values: [term?.id],
      })
      return consumers[1]?.partitions.length === logPartitions
    }
    await untilTrue('the other has taken over', taken)
    await untilTrue('both share again', () => isFairlyShared(consumers) && silent.membership.term !== term)
    await world.produce(topic, manyKeys)
    await effectsComplete(world.database, topic, world.produced(topic))
  })
})
