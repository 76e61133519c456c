import { after, before, describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import type { Delivery, Subscription } from '../src/index.ts'
import { cuttingProxy } from './support/cutting-proxy.ts'
import { effectOf, effectsComplete, queueEmpty, recording } from './support/effects.ts'
import { joinWorld, keysIn, openWorld, type World } from './support/world.ts'

const keys = [...keysIn(1, 2, 'slow'), ...keysIn(2, 2)]

function failAtFirst({ attempt }: Delivery): void {
  if (attempt === 1) throw new Error('the first attempt fails')
}

describe('a connection that breaks around COMMIT', () => {
  let world: World
  before(async () => {
    world = await openWorld()
    // Effects of keys that begin with "slow" take their time to commit, so that who asks again is faster.
    await world.database.query({
      text: `create function slow_commit() returns trigger language plpgsql as
             $$ begin perform pg_sleep(0.4); return null; end $$`,
    })
    await world.database.query({
      text: `create constraint trigger slow_commit after insert on effect deferrable initially deferred
             for each row when (new.key like 'slow%') execute function slow_commit()`,
    })
  })
  after(() => world[Symbol.asyncDispose]())

  const backoff = { baseMs: 5, maxMs: 20 }
  const ways: readonly (readonly [string, string, (topic: string) => Omit<Subscription, 'group' | 'topic'>])[] = [
    ['a batch', 'lane.move', (topic) => ({ handle: recording(topic) })],
    ['parked messages', 'parking.delete', (topic) => ({ handle: recording(topic, failAtFirst), backoff })],
    ['work', 'parking.delete', (topic) => ({ work: (message) => effectOf(topic, message), backoff })],
    [
      'work that fails at first',
      'parking.delete',
      (topic) => ({
        backoff,
        work(message) {
          failAtFirst(message)
          return effectOf(topic, message)
        },
      }),
    ],
  ]
  for (const [index, [name, statement, how]] of ways.entries()) {
    it(`leaves each effect of ${name} once, in order`, async () => {
      const topic = `commit-${index}`
      await using proxy = await cuttingProxy(world.url)
      await world.log.declareTopic(topic)
      await using member = await joinWorld(world, { url: proxy.url })
      await member.consume({ group: `g-${topic}`, topic, ...how(topic) })
      await untilTrue('there is a term', () => member.membership.term !== undefined)
      for (const [cut, way] of (['after', 'before', 'after', 'after'] as const).entries()) {
        proxy.cutNext(way, statement)
        await world.produce(topic, keys)
        await untilTrue(`${cut + 1} commits were cut`, () => proxy.cuts > cut)
      }
      await effectsComplete(world.database, topic, world.produced(topic))
      await queueEmpty(world.database, `g-${topic}`)
    })
  }
})
