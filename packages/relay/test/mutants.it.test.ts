import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Database, Statement } from '@headrace/database'
import { untilTrue } from '@headrace/database/testing'
import { noFaults } from '@headrace/runtime'
import { type OutgoingMessage, postgresTransport, type Transport } from '@headrace/transport'
import { CursorMover } from '../src/cursor-mover.ts'
import { declareCursors, goBack, moveCursors, takeCursor } from '../src/cursors.ts'
import { PartitionRelay } from '../src/partition-relay.ts'
import { Provider } from '../src/provider.ts'
import { TableCarrier } from './support/table-carrier.ts'
import { type Member, openWorld, produce } from './support/world.ts'

/** Each promise of a cursor with what a relay without it would do. */
describe('the cursor of a relay', () => {
  let world: Member
  before(async () => {
    world = await openWorld()
  })
  after(() => world[Symbol.asyncDispose]())

  it('stands still until the carrier has confirmed', () => standsStill('honest', Provider))

  it('and one that moves before the confirmation is found out', async () => {
    await assert.rejects(standsStill('hasty', HastyProvider), assert.AssertionError)
  })

  it('is moved by nobody whose lease was lost', () => isFenced('fenced', world.database))

  it('and one that moves at any epoch is found out', async () => {
    const unfenced = rewriting(world.database, 'and c.epoch = m.epoch')
    await assert.rejects(isFenced('unfenced', unfenced), assert.AssertionError)
  })

  it('is not brought forward again by a move that is late, when it has gone back', async () => {
    const { place, carrier, start } = await topicOf('late-move', Provider)
    let carrierIncarnation = '1'
    const relay = start(() => carrierIncarnation)
    await untilTrue('something is carried', async () => (await position(place)) > 0, 20_000)
    carrierIncarnation = '2'
    carrier.mood = () => 'refuses'
    relay.again()
    await untilTrue('it has gone back', async () => (await position(place)) === 0, 20_000)
    await relay.stop()
    assert.equal(await position(place), 0)
  })

  /** A relay of partition 3 of a topic of its own, in which a group needs everything. */
  async function topicOf(topic: string, kind: new (transport: Transport, topic: string) => Provider) {
    const { database, log } = world
    await log.declareTopic(topic)
    await produce(log, topic, new Map(), 3)
    const place = { provider: topic, topic }
    await database.query({
      text: `insert into headrace.lane (group_name, topic, partition, origin, position)
             select 'g', $1, p, $2, 0 from generate_series(0, 15) as p`,
      values: [topic, log.id],
    })
    await declareCursors(database, place, log.id)
    const carrier = new TableCarrier(database, topic)
    const needs = {
      database,
      place,
      logId: log.id,
      source: postgresTransport(log),
      faults: noFaults,
      onError: () => {},
    }
    const provider = new kind(carrier, topic)
    const term = { id: '0', signal: new AbortController().signal }
    const start = (incarnation: () => string) =>
      new PartitionRelay(
        { ...needs, provider, mover: new CursorMover(needs, place), incarnation, confirmed: () => {} },
        { partition: 3, epoch: 1, unreleased: false, term },
      )
    return { place, carrier, start }
  }

  async function position(place: { provider: string; topic: string }): Promise<number> {
    const { rows } = await world.database.query<{ position: number }>({
      text: 'select position from headrace.relay_cursor where provider = $1 and topic = $2 and partition = 3',
      values: [place.provider, place.topic],
    })
    return rows[0]?.position ?? -1
  }

  async function standsStill(
    topic: string,
    kind: new (transport: Transport, topic: string) => Provider,
  ): Promise<void> {
    const { place, carrier, start } = await topicOf(topic, kind)
    let tries = 0
    carrier.mood = () => {
      tries += 1
      return 'loses-answer'
    }
    const relay = start(() => '1')
    await untilTrue('it was tried', () => tries > 0, 20_000)
    await relay.stop()
    assert.equal(await position(place), 0)
  }

  async function isFenced(topic: string, database: Database): Promise<void> {
    const place = { provider: topic, topic }
    await world.log.declareTopic(topic)
    await produce(world.log, topic, new Map(), 3)
    await declareCursors(database, place, world.log.id)
    const before = await takeCursor(database, place, { partition: 1, epoch: 2 })
    const late = { partition: 1, epoch: 1, position: 99, sinceMs: 0 }
    assert.deepEqual(await moveCursors(database, place, [late]), new Set())
    assert.equal(await goBack(database, place, { partition: 1, epoch: 1, incarnation: 'x' }), undefined)
    assert.equal(await takeCursor(database, place, { partition: 1, epoch: 1 }), undefined)
    assert.deepEqual(await takeCursor(database, place, { partition: 1, epoch: 3 }), before)
  }
})

/** Confirms what it has only handed over. */
class HastyProvider extends Provider {
  override async publish(partition: number, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void> {
    super.publish(partition, messages, signal).catch(() => {})
  }
}

/** A database whose statements lack a clause. */
function rewriting(database: Database, clause: string): Database {
  const without = (statement: Statement) =>
    statement.text.includes(clause)
      ? { ...statement, name: `${statement.name}.mutant`, text: statement.text.replace(clause, '') }
      : statement
  return { ...wrapped(database), query: (statement) => database.query(without(statement)) }
}

function wrapped(database: Database): Database {
  return {
    url: database.url,
    query: (statement) => database.query(statement),
    inTransaction: (work, options) => database.inTransaction(work, options),
    usage: () => database.usage(),
    stop: () => database.stop(),
    [Symbol.asyncDispose]: () => database.stop(),
  }
}
