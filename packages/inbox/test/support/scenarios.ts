import { untilTrue } from '@headrace/database/testing'
import { effectOf, effectsComplete, queueEmpty } from './effects.ts'
import { gate } from './gate.ts'
import type { Interception } from './statements.ts'
import { joinWorld, keysIn, type World } from './world.ts'

/**
 * A batch puts a message behind a key just while a closer, who found the key empty, deletes it. Both meet on purpose:
 * the closer waits until the batch has made sure of its key, the batch until the closer is through.
 */
export async function closerMeetsBatch(world: World, topic: string, mutant: Interception = {}): Promise<void> {
  const [key = ''] = keysIn(4, 1)
  const closer = gate('the closer is about to close')
  const closed = Promise.withResolvers<void>()
  let inserts = 0
  await using member = await joinWorld(world, {
    ...mutant,
    async before({ name }) {
      if (name === 'parking.insert' && (inserts += 1) === 2) {
        closer.open()
        await closed.promise
      }
    },
  })
  await world.log.declareTopic(topic)
  const faults = {
    async at(name: string) {
      if (name !== 'close.before-commit') return
      await closer.pass()
      setTimeout(closed.resolve, 100)
    },
  }
  await member.consume({ group: `g-${topic}`, topic, work: (message) => effectOf(topic, message) }, { faults })
  await world.produce(topic, [key])
  await closer.reached
  await world.produce(topic, [key])
  await untilTrue('the second message was put into the queue', () => inserts >= 2)
  await effectsComplete(world.database, topic, world.produced(topic), 3_000)
  await queueEmpty(world.database, `g-${topic}`, 3_000)
}
