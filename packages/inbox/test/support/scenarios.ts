import assert from 'node:assert/strict'
import { untilTrue } from '@headrace/database/testing'
import { dropParked, listParked } from '../../src/index.ts'
import { cuttingProxy } from './cutting-proxy.ts'
import { assertEffects, effectOf, effectsComplete, effectsOf, queueEmpty, recording } from './effects.ts'
import { FakeCarrier } from './fake-carrier.ts'
import { gate } from './gate.ts'
import type { Interception } from './statements.ts'
import { joinWorld, keysIn, type Member, nextMessage, type World } from './world.ts'

/** A promise put to the test, with the real statements or a mutant's; rejects when it is broken. */
export type Scenario = (world: World, topic: string, mutant?: Interception) => Promise<void>

/** Time in ms in which a scenario that goes well is through; a mutant's is known sooner. */
const soon = (mutant: Interception) => (Object.keys(mutant).length === 0 ? 30_000 : 2_000)
const backoff = { baseMs: 5, maxMs: 20 }
const reset = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })

/** Makes others take a member's leases, of which it knows nothing. */
async function leaveGroup(world: World, member: Member): Promise<void> {
  await world.database.query({
    text: `update headrace.member set subscriptions = '{}' where id = $1`,
    values: [member.membership.term?.id],
  })
}

/** Holds a member's batches just before they open. */
function heldBatches(name: string) {
  const held = gate(name)
  return { held, faults: { at: (point: string) => (point === 'batch.before-open' ? held.pass() : undefined) } }
}

/** Somebody else has handled the message, at the same epoch, while our batch was on its way. */
export const movedByAnother: Scenario = async (world, topic, mutant = {}) => {
  await using member = await joinWorld(world, mutant)
  const { held, faults } = heldBatches('the batch is about to open')
  await world.log.declareTopic(topic)
  const [key = ''] = keysIn(3, 1)
  await member.consume({ group: `g-${topic}`, topic, handle: recording(topic) }, { faults })
  await world.produce(topic, [key])
  await held.reached
  await world.database.query({
    text: 'update headrace.lane set position = position + 1 where group_name = $1 and partition = 3',
    values: [`g-${topic}`],
  })
  held.open()
  await world.produce(topic, [key])
  const effects = async () => (await effectsOf(world.database, topic)).get(key) ?? []
  await untilTrue('the next message is done', async () => (await effects()).includes(`${key}#2`), soon(mutant))
  assert.deepEqual(await effects(), [`${key}#2`], 'what another has handled was handled again')
}

/** A zombie goes on after its successor has taken the lane over and before that has moved it. */
export const zombieAfterTakeover: Scenario = async (world, topic, mutant = {}) => {
  const byZombie: number[] = []
  const group = `g-${topic}`
  await using zombie = await joinWorld(world, mutant)
  await using successor = await joinWorld(world, mutant)
  const zombies = heldBatches('the zombie is about to open its batch')
  const successors = heldBatches('the successor is about to open its batch')
  using _ = successors.held
  await world.log.declareTopic(topic)
  const owned = await zombie.consume(
    { group, topic, handle: recording(topic) },
    { faults: zombies.faults, events: { handled: (count) => byZombie.push(count) } },
  )
  await untilTrue('it reads', () => owned.partitions.includes(3))
  await world.produce(topic, keysIn(3, 1))
  await zombies.held.reached
  await leaveGroup(world, zombie)
  await successor.consume({ group, topic, handle: recording(topic) }, { faults: successors.faults })
  await successors.held.reached
  zombies.held.open()
  await untilTrue('the zombie has ended', () => byZombie.length > 0 || !owned.partitions.includes(3), soon(mutant))
  assert.deepEqual(byZombie, [], 'the zombie’s batch was committed after the takeover')
  successors.held.open()
  await effectsComplete(world.database, topic, world.produced(topic), soon(mutant))
}

/** An owner lost its lease before it came to take its lanes over; its successor has not moved them yet. */
export const lateTakeover: Scenario = async (world, topic, mutant = {}) => {
  const group = `g-${topic}`
  const byLate: number[] = []
  await using late = await joinWorld(world, mutant)
  await using successor = await joinWorld(world, mutant)
  const successors = heldBatches('the successor is about to open its batch')
  using _ = successors.held
  using takeover = gate('the takeover')
  await world.log.declareTopic(topic)
  const owned = await late.consume(
    { group, topic, handle: recording(topic) },
    {
      faults: { at: (name) => (name === 'takeover.before-commit' ? takeover.pass() : undefined) },
      events: { handled: (count) => byLate.push(count) },
    },
  )
  await takeover.reached
  await untilTrue('it holds the lease', () => owned.partitions.includes(3))
  await leaveGroup(world, late)
  await world.produce(topic, keysIn(3, 1))
  await successor.consume({ group, topic, handle: recording(topic) }, { faults: successors.faults })
  await successors.held.reached
  takeover.open()
  await untilTrue('the late one has ended', () => byLate.length > 0 || !owned.partitions.includes(3), soon(mutant))
  assert.deepEqual(byLate, [], 'it handled what is another’s')
  successors.held.open()
  await effectsComplete(world.database, topic, world.produced(topic), soon(mutant))
}

/** A batch fails after its lane has moved; nothing may stay of the move. */
export const failsAfterMove: Scenario = async (world, topic, mutant = {}) => {
  let fails = 2
  await using member = await joinWorld(world, mutant)
  await world.log.declareTopic(topic)
  const handle = recording(topic, () => {
    fails -= 1
    if (fails >= 0) throw reset()
  })
  await member.consume({ group: `g-${topic}`, topic, handle })
  await world.produce(topic, keysIn(3, 2))
  await effectsComplete(world.database, topic, world.produced(topic), soon(mutant))
}

/** The first message of a key waits for its second attempt when the next ones come. */
export const comesBehindParked: Scenario = async (world, topic, mutant = {}) => {
  const [key = ''] = keysIn(3, 1)
  await using member = await joinWorld(world, mutant)
  await world.log.declareTopic(topic)
  using second = gate('the second attempt')
  const handle = recording(topic, async ({ id, attempt }) => {
    if (id !== `${key}#1`) return
    if (attempt === 1) throw new Error('the first attempt fails')
    await second.pass()
  })
  let failed = 0
  await member.consume({ group: `g-${topic}`, topic, handle, backoff }, { events: { failed: () => (failed += 1) } })
  await world.produce(topic, [key])
  await untilTrue('the first waits', () => failed > 0)
  await world.produce(topic, [key, key])
  await second.reached
  const position = async () => {
    const { rows } = await world.database.query<{ position: number }>({
      text: 'select position from headrace.lane where topic = $1 and partition = 3',
      values: [topic],
    })
    return rows[0]?.position
  }
  await untilTrue('the lane has passed the next ones', async () => (await position()) === 3)
  second.open()
  await effectsComplete(world.database, topic, world.produced(topic), soon(mutant))
  await queueEmpty(world.database, `g-${topic}`, soon(mutant))
}

/** A message is queued behind a key that its closer has found empty and not yet locked. */
export const closerComesLate: Scenario = async (world, topic, mutant = {}) => {
  const [key = ''] = keysIn(3, 1)
  const closer = gate('the closer is about to close')
  let inserts = 0
  await using member = await joinWorld(world, {
    ...mutant,
    before({ name }) {
      if (name === 'parking.insert') inserts += 1
    },
  })
  await world.log.declareTopic(topic)
  const faults = { at: (name: string) => (name === 'close.before-commit' ? closer.pass() : undefined) }
  await member.consume({ group: `g-${topic}`, topic, work: (message) => effectOf(topic, message) }, { faults })
  await world.produce(topic, [key])
  await closer.reached
  await world.produce(topic, [key])
  const isQueued = async () => {
    const { rowCount } = await world.database.query({
      text: 'select from headrace.parked_message where group_name = $1 and message_id = $2',
      values: [`g-${topic}`, `${key}#2`],
    })
    return rowCount === 1
  }
  await untilTrue('the second is queued', isQueued)
  closer.open()
  await effectsComplete(world.database, topic, world.produced(topic), soon(mutant))
  await queueEmpty(world.database, `g-${topic}`, soon(mutant))
  assert.equal(inserts, 2)
}

/**
 * A batch puts a message behind a key just while a closer, who found the key empty, deletes it. Both meet on purpose:
 * the closer waits until the batch has made sure of its key, the batch until the closer is through.
 */
export const closerMeetsBatch: Scenario = async (world, topic, mutant = {}) => {
  const [key = ''] = keysIn(4, 1)
  const closer = gate('the closer is about to close')
  const closed = Promise.withResolvers<void>()
  const isGone = async () => {
    const text = 'select from headrace.parked_key where topic = $1'
    return (await world.database.query({ text, values: [topic] })).rowCount === 0
  }
  let inserts = 0
  await using member = await joinWorld(world, {
    ...mutant,
    before({ name }) {
      if (name === 'parking.insert') inserts += 1
      if (name !== 'parking.insert' || inserts !== 2) return
      closer.open()
      return closed.promise
    },
  })
  await world.log.declareTopic(topic)
  const faults = {
    async at(name: string) {
      if (name !== 'close.before-commit') return
      await closer.pass()
      // Without the lock the closer deletes the key, on a busy machine within seconds; with it the key stays.
      void untilTrue('the key is gone', isGone, 5_000)
        .catch(() => undefined)
        .then(() => closed.resolve())
    },
  }
  await member.consume({ group: `g-${topic}`, topic, work: (message) => effectOf(topic, message) }, { faults })
  await world.produce(topic, [key])
  await closer.reached
  await world.produce(topic, [key])
  await effectsComplete(world.database, topic, world.produced(topic), soon(mutant))
  await queueEmpty(world.database, `g-${topic}`, soon(mutant))
}

/** The answer to COMMIT is lost while the server still commits; whoever asks again is faster. */
export const askedWhileCommitting: Scenario = async (world, topic, mutant = {}) => {
  await world.database.query({
    text: `create or replace function slow_commit() returns trigger language plpgsql as
           $$ begin perform pg_sleep(0.5); return null; end $$`,
  })
  await world.database.query({
    text: `drop trigger if exists slow_commit on effect;
           create constraint trigger slow_commit after insert on effect deferrable initially deferred
           for each row when (new.key like 'slow%') execute function slow_commit()`,
  })
  await using proxy = await cuttingProxy(world.url)
  await using member = await joinWorld(world, { ...mutant, url: proxy.url })
  await world.log.declareTopic(topic)
  await member.consume({ group: `g-${topic}`, topic, work: (message) => effectOf(topic, message) })
  await untilTrue('there is a term', () => member.membership.term !== undefined)
  for (const name of ['parking.delete', 'parking.delete.mutant']) proxy.cutNext('after', name)
  await world.produce(topic, keysIn(3, 2, 'slow'))
  await effectsComplete(world.database, topic, world.produced(topic), soon(mutant))
  await queueEmpty(world.database, `g-${topic}`, soon(mutant))
  assertEffects(await effectsOf(world.database, topic), world.produced(topic))
  assert.equal(proxy.cuts, 1)
}

/** A message is dropped while somebody works on it; the one behind it is done. */
export const droppedWhileWorkedOn: Scenario = async (world, topic, mutant = {}) => {
  using slow = gate('the first message is worked on')
  const [key = ''] = keysIn(3, 1)
  await using member = await joinWorld(world, mutant)
  await world.log.declareTopic(topic)
  await member.consume({
    group: `g-${topic}`,
    topic,
    async work(message) {
      if (message.id === `${key}#1`) await slow.pass()
      return effectOf(topic, message)
    },
  })
  await world.produce(topic, [key, key])
  await slow.reached
  const [first] = await listParked(world.database, { group: `g-${topic}`, messageId: `${key}#1`, untried: true })
  await dropParked(world.database, first?.seq ?? 0)
  slow.open()
  await queueEmpty(world.database, `g-${topic}`, soon(mutant))
  assert.deepEqual((await effectsOf(world.database, topic)).get(key), [`${key}#2`])
}

/** A claim is made and its answer lost. */
export const claimWithoutAnswer: Scenario = async (world, topic, mutant = {}) => {
  let lost = false
  await using member = await joinWorld(world, {
    ...mutant,
    async answered({ name }) {
      if (name !== 'parking.claim' || lost || (await ownedKeys(world, topic)) === 0) return
      lost = true
      throw reset()
    },
  })
  await world.log.declareTopic(topic)
  await member.consume({ group: `g-${topic}`, topic, work: (message) => effectOf(topic, message) })
  await world.produce(topic, keysIn(3, 2))
  await effectsComplete(world.database, topic, world.produced(topic), soon(mutant))
  assert.ok(lost)
}

async function ownedKeys(world: World, topic: string): Promise<number> {
  const { rowCount } = await world.database.query({
    text: 'select from headrace.parked_key where topic = $1 and owner is not null',
    values: [topic],
  })
  return rowCount
}

/** A carrier is read on where the group left it. */
export const carrierReadOn: Scenario = async (world, topic, mutant = {}) => {
  const carrier = new FakeCarrier('carrier')
  const counts = new Map<string, number>()
  const put = () => carrier.put(0, nextMessage(counts, 'k'))
  for (let n = 0; n < 3; n += 1) put()
  await using member = await joinWorld(world, mutant)
  for (let round = 0; round < 2; round += 1) {
    await using consumer = await member.consume(
      { group: `g-${topic}`, topic, handle: recording(topic) },
      { carriers: [carrier] },
    )
    await effectsComplete(world.database, topic, counts, soon(mutant))
    await consumer.stop()
    put()
  }
}

/** A message runs while its process loses its session again and again, and lives. */
export const losesSessions: Scenario = async (world, topic, mutant = {}) => {
  let met = 0
  let isAway = true
  await using member = await joinWorld(world, mutant)
  await world.log.declareTopic(topic)
  await member.consume({
    group: `g-${topic}`,
    topic,
    async work(message, { signal }) {
      met += 1
      if (isAway) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(reset())))
      return effectOf(topic, message)
    },
  })
  await world.produce(topic, keysIn(3, 1))
  for (let lost = 0; lost < 3; lost += 1) {
    await untilTrue('the message runs', () => met > lost, soon(mutant))
    await loseSession(world, member)
  }
  isAway = false
  await effectsComplete(world.database, topic, world.produced(topic), soon(mutant))
}

/** Ends a member's session at the server, and with it its term. */
export async function loseSession(world: World, member: Member): Promise<void> {
  await untilTrue('there is a term', () => member.membership.term?.signal.aborted === false)
  const { term } = member.membership
  await world.database.query({
    text: `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid::bigint = $1`,
    values: [member.wakeUps.session],
  })
  await untilTrue('the term is over', () => term?.signal.aborted === true)
}
