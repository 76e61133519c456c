import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { memoryTransport, postgresTransport } from '@headrace/transport'
import { relayStatus } from '../src/index.ts'
import { TableCarrier } from './support/table-carrier.ts'
import {
  type Counts,
  effectsComplete,
  joinWorld,
  keys,
  type Member,
  openWorld,
  produce,
  relayed,
} from './support/world.ts'

describe('a relay', () => {
  let world: Member
  before(async () => {
    world = await openWorld()
  })
  after(() => world[Symbol.asyncDispose]())
  // They would look for messages to the end.
  afterEach(() => world.letGo())

  it('carries what is appended, in the order of each partition, with where it stands in the log', async () => {
    const counts: Counts = new Map()
    const carrier = new TableCarrier(world.database)
    await using _carriage = await world.carry('plain', [carrier])
    await produce(world.log, 'plain', counts, 20)
    await relayed(world, 'plain', 'table')
    const held = await carrier.contents('plain')
    assert.equal(held.length, 20 * keys.length)
    const next = new Map<number, number>()
    for (const { partition, offset, base } of held) {
      assert.equal(offset, next.get(partition) ?? 1)
      assert.equal(base, 0)
      next.set(partition, offset + 1)
    }
    assert.equal(carrier.overlaps, 0)
  })

  it('sends one batch at a time to a carrier with fewer partitions than the log', async () => {
    const counts: Counts = new Map()
    const carrier = new TableCarrier(world.database, 'narrow', 3)
    await using _carriage = await world.carry('narrow', [carrier])
    await world.consume('narrow', [carrier])
    await produce(world.log, 'narrow', counts, 20)
    await effectsComplete(world, 'g-narrow', counts)
    assert.equal(carrier.overlaps, 0)
  })

  it('goes on where a topic was made anew with another number of partitions, and so does who reads it', async () => {
    const counts: Counts = new Map()
    const carrier = new TableCarrier(world.database, 'remade', 4)
    await using _carriage = await world.carry('remade', [carrier])
    const consumer = await world.consume('remade', [carrier])
    const recreate = (count: number) => {
      carrier.count = count
      carrier.incarnation += 1
    }
    await produce(world.log, 'remade', counts, 2)
    await effectsComplete(world, 'g-remade', counts)
    recreate(16)
    await consumer.stop()
    await world.consume('remade', [carrier])
    await produce(world.log, 'remade', counts, 2)
    await effectsComplete(world, 'g-remade', counts)
    recreate(3)
    await produce(world.log, 'remade', counts, 2)
    await effectsComplete(world, 'g-remade', counts)
  })

  for (const mood of ['refuses', 'loses-answer', 'takes-half'] as const) {
    it(`lags behind a provider that ${mood}, catches up by itself and leaves each effect once`, async () => {
      const topic = `away-${mood}`
      const counts: Counts = new Map()
      const carrier = new TableCarrier(world.database, mood)
      let turn = 0
      carrier.mood = () => (++turn % 2 === 0 ? 'well' : mood)
      await using _carriage = await world.carry(topic, [carrier])
      await world.consume(topic, [carrier])
      await produce(world.log, topic, counts, 30)
      await effectsComplete(world, `g-${topic}`, counts)
      assert.equal(carrier.overlaps, 0)
      // Whatever failed on the way, a partition never holds a message before those in front of it.
      const seen = new Map<number, number>()
      for (const { partition, offset } of await carrier.contents(topic)) {
        assert.ok(offset <= (seen.get(partition) ?? 0) + 1, `offset ${offset} of ${partition} is behind a hole`)
        seen.set(partition, Math.max(offset, seen.get(partition) ?? 0))
      }
    })
  }

  it('takes a publish that is late for one whose outcome is not known', async () => {
    const counts: Counts = new Map()
    await using carrier = new TableCarrier(world.database, 'late')
    let hung = 0
    carrier.mood = () => (hung++ < 2 ? 'hangs' : 'well')
    await using _carriage = await world.carry('late', [carrier], { publishTimeoutMs: 300 })
    await world.consume('late', [carrier])
    await produce(world.log, 'late', counts, 5)
    await effectsComplete(world, 'g-late', counts)
  })

  it('sends a slow provider no more at once than it confirms in time', async () => {
    await using carrier = new TableCarrier(world.database, 'slow')
    carrier.msPerMessage = 12
    // Its group needs everything, so that the relay begins with a backlog: more than is confirmed in time.
    await world.consume('slow', [carrier])
    await world.log.inTransaction((tx) => {
      for (let n = 1; n <= 40; n += 1) {
        tx.append({ topic: 'slow', id: `k#${n}`, key: 'k', type: 'counted', headers: {}, body: Buffer.from('') })
      }
    })
    await using _carriage = await world.carry('slow', [carrier], { publishTimeoutMs: 300 })
    await relayed(world, 'slow', 'slow')
    await effectsComplete(world, 'g-slow', new Map([['k', 40]]))
  })

  it('shows head, cursor, lag, breaker and the last error of a provider that is away, and then that it is well', async () => {
    const counts: Counts = new Map()
    const carrier = new TableCarrier(world.database, 'shown')
    carrier.mood = () => 'refuses'
    await using carriage = await world.carry('shown', [carrier])
    await produce(world.log, 'shown', counts, 2)
    const status = async () => (await relayStatus(world.database)).find(({ topic }) => topic === 'shown')
    await untilTrue('the breaker is shown open', async () => (await status())?.breaker === 'open', 20_000)
    const away = await status()
    assert.deepEqual([away?.head, away?.cursor, away?.lag], [2 * keys.length, 0, 2 * keys.length])
    assert.equal(away?.lastError, 'shown is away')
    // Not while it tries whether the provider is back.
    await untilTrue('it is told as away', () => carriage.away('shown').join() === 'shown')
    carrier.mood = () => 'well'
    await relayed(world, 'shown', 'shown')
    await untilTrue('the breaker is shown closed', async () => (await status())?.breaker === 'closed', 20_000)
    assert.equal((await status())?.lag, 0)
    await untilTrue('it is told as away no more', () => carriage.away('shown').length === 0)
  })

  it('counts as waiting what no group has taken, and what waits for a worker; not what was set aside', async () => {
    const carrier = new TableCarrier(world.database, 'sized')
    await using carriage = await world.carry('sized', [carrier])
    await produce(world.log, 'sized', new Map(), 1)
    await world.database.query({
      text: `insert into headrace.parked_message
               (group_name, topic, key, message_key, state, partition, origin, "offset", at, message_id, type, headers, body)
             select 'g', 'sized', 'k', 'k', state, 0, '', n, now(), n, 't', '', ''
             from unnest(array['queued', 'queued', 'dead']) with ordinality as waiting(state, n)`,
    })
    assert.equal((await carriage.status('sized'))[0]?.size, keys.length + 2)
  })

  it('shares its partitions with other processes, and takes over those of one that leaves', async () => {
    const counts: Counts = new Map()
    const carrier = new TableCarrier(world.database, 'shared')
    await using other = await joinWorld(world.url)
    await using mine = await world.carry('shared', [carrier])
    const theirs = await other.carry('shared', [new TableCarrier(other.database, 'shared')])
    const count = async () => {
      const { rows } = await world.database.query<{ owners: number }>({
        text: `select count(distinct owner) as owners from headrace.lease where group_name = 'relay:shared'`,
      })
      return rows[0]?.owners
    }
    await untilTrue('both relay', async () => (await count()) === 2, 20_000)
    await world.consume('shared', [carrier])
    await produce(world.log, 'shared', counts, 10)
    await theirs.stop()
    await produce(world.log, 'shared', counts, 10)
    await effectsComplete(world, 'g-shared', counts)
    assert.ok(mine)
  })

  it('goes back to what groups still need when the carrier’s topic was made anew', async () => {
    const counts: Counts = new Map()
    const carrier = new TableCarrier(world.database, 'anew')
    await using _carriage = await world.carry('anew', [carrier])
    const consumer = await world.consume('anew', [carrier])
    await produce(world.log, 'anew', counts, 3)
    await effectsComplete(world, 'g-anew', counts)
    await consumer.stop()
    await produce(world.log, 'anew', counts, 3)
    await relayed(world, 'anew', 'anew')
    carrier.incarnation = 2
    await world.consume('anew', [carrier])
    await effectsComplete(world, 'g-anew', counts)
    assert.ok((await carrier.contents('anew')).every(({ offset }) => offset > 0))
  })

  it('sends again what a carrier has lost although it confirmed it', async () => {
    const counts: Counts = new Map()
    const carrier = new TableCarrier(world.database, 'forgetful')
    await using _carriage = await world.carry('forgetful', [carrier], { stalledMs: 1_000 })
    const consumer = await world.consume('forgetful', [carrier])
    await produce(world.log, 'forgetful', counts, 3)
    await effectsComplete(world, 'g-forgetful', counts)
    await consumer.stop()
    await produce(world.log, 'forgetful', counts, 3)
    await relayed(world, 'forgetful', 'forgetful')
    await carrier.lose('forgetful')
    await world.consume('forgetful', [carrier])
    await effectsComplete(world, 'g-forgetful', counts)
  })

  it('begins with a new provider behind what any group has taken, and says so', async () => {
    const counts: Counts = new Map()
    const first = new TableCarrier(world.database, 'first')
    const second = new TableCarrier(world.database, 'second')
    const before = await world.carry('walk', [first])
    const consumer = await world.consume('walk', [first])
    await produce(world.log, 'walk', counts, 4)
    await effectsComplete(world, 'g-walk', counts)
    await consumer.stop()
    await produce(world.log, 'walk', counts, 4)
    await relayed(world, 'walk', 'first')
    await before.stop()

    const after = await world.carry('walk', [second], { open: (name) => (name === 'first' ? first : second) })
    assert.deepEqual(
      after.carriers('walk').map(({ name }) => name),
      ['second', 'first'],
      'what the first holds is still read',
    )
    await relayed(world, 'walk', 'second')
    const held = await second.contents('walk')
    assert.equal(held.length, 4 * keys.length, 'only what the group has not taken')
    assert.ok(held.every(({ offset, base }) => base > 0 && offset > base))
    const again = await world.consume('walk', after.carriers('walk'))
    await effectsComplete(world, 'g-walk', counts)
    await again.stop()
    await after.stop()

    await using drained = await world.carry('walk', [second])
    assert.deepEqual(
      drained.carriers('walk').map(({ name }) => name),
      ['second'],
      'the first is drained',
    )
  })

  it('brings a group that comes later what lies before its beginning', async () => {
    const counts: Counts = new Map()
    const carrier = new TableCarrier(world.database, 'newcomer')
    await world.log.declareTopic('newcomer')
    await produce(world.log, 'newcomer', counts, 2)
    await using _carriage = await world.carry('newcomer', [carrier], { stalledMs: 1_000 })
    await produce(world.log, 'newcomer', counts, 2)
    await relayed(world, 'newcomer', 'newcomer')
    assert.equal((await carrier.contents('newcomer')).length, 2 * keys.length, 'nobody had asked for the first two')
    await world.consume('newcomer', [carrier])
    await effectsComplete(world, 'g-newcomer', counts)
  })

  it('confirms a message once any or all providers have it, and names those that do not', async () => {
    const counts: Counts = new Map()
    const well = new TableCarrier(world.database, 'well')
    const away = new TableCarrier(world.database, 'away')
    away.mood = () => 'refuses'
    await using carriage = await world.carry('confirmed', [well, away])
    await produce(world.log, 'confirmed', counts, 1)
    const places = (await world.log.heads('confirmed')).map(({ partition, nextOffset }) => ({
      partition,
      offset: nextOffset - 1,
    }))
    const any = await carriage.confirm('confirmed', places, { mode: 'any', signal: AbortSignal.timeout(20_000) })
    assert.deepEqual(any, ['away'])
    const late = await carriage.confirm('confirmed', places, { mode: 'all', signal: AbortSignal.timeout(100) })
    assert.deepEqual(late, ['away'])
    away.mood = () => 'well'
    const all = await carriage.confirm('confirmed', places, { mode: 'all', signal: AbortSignal.timeout(20_000) })
    assert.deepEqual(all, [])
  })

  it('confirms what another process relays', async () => {
    const counts: Counts = new Map()
    const carrier = new TableCarrier(world.database, 'elsewhere')
    await using _theirs = await world.carry('elsewhere', [carrier])
    await untilTrue('all is leased', async () => (await leased('elsewhere')) === 16, 20_000)
    await using other = await joinWorld(world.url)
    // It holds no lease yet: the first process has them all until they are shared.
    const mine = await other.carry('elsewhere', [new TableCarrier(other.database, 'elsewhere')])
    await produce(other.log, 'elsewhere', counts, 1)
    const places = (await other.log.heads('elsewhere')).map(({ partition, nextOffset }) => ({
      partition,
      offset: nextOffset - 1,
    }))
    assert.deepEqual(await mine.confirm('elsewhere', places, { mode: 'all', signal: AbortSignal.timeout(20_000) }), [])
  })

  it('carries to memory, and again from what groups need after a restart', async () => {
    const counts: Counts = new Map()
    {
      await using memory = memoryTransport({ maxMessages: 100_000 })
      await using carriage = await world.carry('volatile', [memory])
      const consumer = await world.consume('volatile', carriage.carriers('volatile'))
      await produce(world.log, 'volatile', counts, 3)
      await effectsComplete(world, 'g-volatile', counts)
      await consumer.stop()
      await produce(world.log, 'volatile', counts, 3)
      await relayed(world, 'volatile', 'memory')
    }
    await using memory = memoryTransport({ maxMessages: 100_000 })
    await using _carriage = await world.carry('volatile', [memory])
    // Only the memory is read: what it held before the restart is there again.
    await world.consume('volatile', [memory])
    await effectsComplete(world, 'g-volatile', counts)
  })

  async function leased(provider: string): Promise<number> {
    const { rows } = await world.database.query<{ count: number }>({
      text: 'select count(owner) as count from headrace.lease where group_name = $1',
      values: [`relay:${provider}`],
    })
    return rows[0]?.count ?? 0
  }
})

/** What a database looks like that was restored without the last third of its log. */
async function loseThird({ database }: Member): Promise<void> {
  await database.query({
    text: `delete from headrace.log l using headrace.log_head h
           where h.topic = l.topic and h.partition = l.partition and l."offset" > (h.next_offset - 1) * 2 / 3`,
  })
  await database.query({ text: 'update headrace.log_head set next_offset = (next_offset - 1) * 2 / 3 + 1' })
}

it('a group and a relay that were away while the log was restored twice go on where it began to differ', async () => {
  const counts: Counts = new Map()
  await using world = await openWorld()
  const carrier = new TableCarrier(world.database)
  const copied = () => world.database.query({ text: `update headrace.log_incarnation set cluster = 'another'` })
  await world.carry('t', [carrier])
  await world.consume('t', [postgresTransport(world.log)])
  await produce(world.log, 't', counts, 3)
  await effectsComplete(world, 'g-t', counts)
  await relayed(world, 't', 'table')
  await world.letGo()
  await loseThird(world)
  await copied()
  await using first = await joinWorld(world.url)
  await produce(first.log, 't', counts, 2)
  await copied()
  await using second = await joinWorld(world.url)
  await second.carry('t', [carrier])
  await second.consume('t', [postgresTransport(second.log)])
  await effectsComplete(second, 'g-t', counts)
  await relayed(second, 't', 'table')
  const carriedIds = (await carrier.contents('t')).map(({ id }) => id)
  assert.deepEqual(carriedIds.toSorted(), keys.flatMap((key) => [1, 2, 3, 4, 5].map((n) => `${key}#${n}`)).toSorted())
})
