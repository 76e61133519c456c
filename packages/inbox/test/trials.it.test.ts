import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { listParked, type Subscription } from '../src/index.ts'
import { effectOf, effectsComplete, recording } from './support/effects.ts'
import { joinWorld, keysIn, type Member, openWorld, type World } from './support/world.ts'

describe('a message that runs while its process loses its session again and again', () => {
  let world: World
  before(async () => {
    world = await openWorld()
  })
  after(() => world[Symbol.asyncDispose]())

  async function loseSession(member: Member): Promise<void> {
    await untilTrue('there is a term', () => member.membership.term?.signal.aborted === false)
    const { term } = member.membership
    await world.database.query({
      text: `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid::bigint = $1`,
      values: [member.wakeUps.session],
    })
    await untilTrue('the term is over', () => term?.signal.aborted === true)
  }

  for (const mode of ['handle', 'work'] as const) {
    it(`is not taken for one that kills its process (${mode})`, async () => {
      const topic = `sessions-${mode}`
      let met = 0
      let isAway = true
      const meet = async (signal?: AbortSignal) => {
        met += 1
        if (isAway && signal !== undefined) await new Promise((resolve) => signal.addEventListener('abort', resolve))
        if (isAway) throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
      }
      const how: Pick<Subscription, 'handle' | 'work'> =
        mode === 'handle'
          ? { handle: recording(topic, () => meet()) }
          : {
              async work(message, { signal }) {
                await meet(signal)
                return effectOf(topic, message)
              },
            }
      let released = 0
      await using member = await joinWorld(world, {
        before({ name }) {
          // As if the database were away together with the session, every second time.
          if (name !== 'parking.release' || !isAway) return
          released += 1
          if (released % 2 === 1) throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
        },
      })
      await world.log.declareTopic(topic)
      await member.consume({ group: `g-${topic}`, topic, ...how })
      await world.produce(topic, keysIn(3, 1))
      for (let lost = 0; lost < 6; lost += 1) {
        const before = met
        await untilTrue('the message runs', () => met > before)
        await loseSession(member)
      }
      isAway = false
      await effectsComplete(world.database, topic, world.produced(topic)).catch(async (error: unknown) => {
        assert.deepEqual(await listParked(world.database, { group: `g-${topic}` }), [])
        throw error
      })
    })
  }

  it('an observer that throws doubles nothing', async () => {
    const topic = 'observer'
    await using member = await joinWorld(world)
    await world.log.declareTopic(topic)
    const events = {
      handled() {
        throw new Error('the observer fails')
      },
    }
    await member.consume({ group: 'g-observer', topic, handle: recording(topic) }, { events })
    await world.produce(topic, [...keysIn(3, 2), ...keysIn(3, 2)])
    await effectsComplete(world.database, topic, world.produced(topic))
    await world.produce(topic, keysIn(3, 2))
    await effectsComplete(world.database, topic, world.produced(topic))
  })
})
