import { after, before, describe, it } from 'node:test'
import { LaneWalk } from './support/lane-walk.ts'
import { seededRandom, testSeed, withSeed } from './support/random.ts'
import { openWorld, type World } from './support/world.ts'

const walks = 4

describe('lanes', () => {
  let world: World
  before(async () => {
    world = await openWorld()
  })
  after(() => world[Symbol.asyncDispose]())

  const seed = testSeed()
  for (let walk = 0; walk < walks; walk += 1) {
    it(`effects are the produced sequence of each key, once, whatever carriers and owners do (walk ${walk + 1})`, () =>
      withSeed(seed, async () => {
        const steps = new LaneWalk(world, seededRandom(seed + walk), `walk-${walk}`)
        await steps.run().catch((error: unknown) => {
          throw new Error(`after ${steps.history.join(', ')}`, { cause: error })
        })
      }))
  }
})
