import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type RestartableServer, testServer, untilTrue } from '@headrace/database/testing'
import type { Delivery } from '../src/index.ts'
import { countEffects, effectOf, effectsComplete, queueEmpty, recording } from './support/effects.ts'
import { joinWorld, openWorld } from './support/world.ts'

const keys = Array.from({ length: 30 }, (_, n) => `key${n}`)
const backoff = { baseMs: 5, maxMs: 20 }

/** Every tenth message fails at its first attempt. */
function failingSometimes({ id, attempt }: Delivery): void {
  if (attempt === 1 && id.endsWith('7')) throw new Error('the first attempt fails')
}

describe('a database server', { concurrency: 2 }, () => {
  const ends: readonly (readonly [string, (server: RestartableServer) => Promise<void>])[] = [
    ['restarted', (server) => server.restart()],
    [
      'killed and started again',
      async (server) => {
        await server.kill()
        await server.restart()
      },
    ],
  ]
  for (const [name, end] of ends) {
    it(`${name} under load costs time and no message, and doubles none`, async () => {
      await using server = await testServer()
      await using world = await openWorld(server.url)
      const topics = { handle: 'handled', work: 'worked' }
      for (const topic of Object.values(topics)) {
        await world.log.declareTopic(topic)
        for (let n = 0; n < 15; n += 1) await world.produce(topic, keys)
      }
      await using member = await joinWorld(world)
      const handle = recording(topics.handle, async (message) => {
        failingSometimes(message)
        await delay(2)
      })
      const work = async (message: Delivery) => {
        failingSometimes(message)
        await delay(2)
        return effectOf(topics.work, message)
      }
      await member.consume({ group: 'g-handled', topic: topics.handle, handle, maxMessages: 4, backoff })
      await member.consume({ group: 'g-worked', topic: topics.work, work, backoff })
      for (const done of [30, 150]) {
        const both = async () =>
          (await Promise.all(Object.values(topics).map((topic) => countEffects(world.database, topic)))).every(
            (count) => count >= done,
          )
        await untilTrue(`${done} effects of each`, both, 60_000)
        await end(server)
      }
      for (const topic of Object.values(topics)) {
        await effectsComplete(world.database, topic, world.produced(topic))
        await queueEmpty(world.database, `g-${topic}`)
      }
    })
  }
})
