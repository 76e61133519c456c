import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import type { FaultPoint } from '@headrace/runtime'
import { RelayProcess } from './support/relay-process.ts'
import { TableCarrier } from './support/table-carrier.ts'
import { type Counts, effectsComplete, type Member, openWorld, produce, relayed } from './support/world.ts'

const deaths: readonly FaultPoint[] = ['relay.before-publish', 'relay.after-publish', 'relay.after-move']

describe('a relay that is killed', () => {
  let world: Member
  before(async () => {
    world = await openWorld()
  })
  after(() => world[Symbol.asyncDispose]())

  for (const [index, point] of deaths.entries()) {
    it(`at ${point} loses nothing, and copies have no effect`, async () => {
      const topic = point.replaceAll('.', '-')
      const counts: Counts = new Map()
      await world.log.declareTopic(topic)
      const carrier = new TableCarrier(world.database, topic)
      await world.consume(topic, [carrier])
      await produce(world.log, topic, counts, 5)
      await using dying = new RelayProcess({ url: world.url, topic, provider: topic }, `${point}=kill@${2 + 3 * index}`)
      await dying.killed()
      await produce(world.log, topic, counts, 5)
      await using _survivor = await world.carry(topic, [carrier])
      await effectsComplete(world, `g-${topic}`, counts)
    })
  }

  it('in the midst of a stream, again and again, loses nothing', async () => {
    const topic = 'stream'
    const counts: Counts = new Map()
    await world.log.declareTopic(topic)
    const carrier = new TableCarrier(world.database, topic)
    await world.consume(topic, [carrier])
    for (let round = 0; round < 2; round += 1) {
      await using dying = new RelayProcess({ url: world.url, topic, provider: topic })
      await dying.started()
      await produce(world.log, topic, counts, 10)
      dying.signal('SIGKILL')
    }
    await using _survivor = await world.carry(topic, [carrier])
    await effectsComplete(world, `g-${topic}`, counts)
  })

  it('or held still past its lease moves no cursor once it goes on', async () => {
    const topic = 'paused'
    const counts: Counts = new Map()
    await world.log.declareTopic(topic)
    const carrier = new TableCarrier(world.database, topic)
    await world.consume(topic, [carrier])
    await using zombie = new RelayProcess({ url: world.url, topic, provider: topic }, 'relay.after-publish=pause@3')
    await zombie.started()
    await produce(world.log, topic, counts, 5)
    await using _survivor = await world.carry(topic, [carrier])
    // Its lease ends by time: its session lives.
    await relayed(world, topic, topic)
    zombie.signal('SIGCONT')
    await produce(world.log, topic, counts, 5)
    await effectsComplete(world, `g-${topic}`, counts)
    await relayed(world, topic, topic)
    const { rows } = await world.database.query<{ wrong: number }>({
      text: `select count(*) as wrong from headrace.relay_cursor c join headrace.log_head h using (topic, partition)
             where topic = $1 and c.position >= h.next_offset`,
      values: [topic],
    })
    assert.equal(rows[0]?.wrong, 0)
    await untilTrue('the zombie still runs', () => zombie.isRunning)
  })
})
