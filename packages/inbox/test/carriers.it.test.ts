import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { untilTrue } from '@headrace/database/testing'
import { PlatformError } from '@headrace/runtime'
import { logPartitions } from '@headrace/transport'
import { type ConsumerEvents, type Handle, MessageError, PoisonMessageError } from '../src/index.ts'
import { countEffects, effectsComplete, effectsOf, recording } from './support/effects.ts'
import { FakeCarrier } from './support/fake-carrier.ts'
import { gate } from './support/gate.ts'
import { joinWorld, type Member, nextMessage, openWorld, type World } from './support/world.ts'

/** Numbered messages of one partition of a log elsewhere, with one key. */
function elsewhere(key = 'k', partition = 0) {
  const log = randomUUID()
  const counts = new Map<string, number>()
  return {
    log,
    counts,
    next() {
      const message = nextMessage(counts, key)
      return { ...message, origin: { log, partition, offset: counts.get(key) ?? 0 } }
    },
  }
}

describe('carriers', () => {
  let world: World
  let member: Member
  before(async () => {
    world = await openWorld()
    member = await joinWorld(world)
  })
  after(async () => {
    await member[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  })

  const consume = (topic: string, carriers: readonly FakeCarrier[], events: ConsumerEvents = {}) =>
    member.consume({ group: `g-${topic}`, topic, handle: recording(topic) }, { carriers, events })
  const effects = (topic: string) => countEffects(world.database, topic)

  it('a hole in one carrier is filled by the other alone', async () => {
    const topic = 'hole'
    const [a, b] = [new FakeCarrier('a'), new FakeCarrier('b', 4)]
    const source = elsewhere()
    const messages = Array.from({ length: 10 }, source.next)
    for (const [n, message] of messages.entries()) if (n !== 3 && n !== 6) a.put(0, message)
    if (messages[0]) b.put(0, messages[0])
    await using consumer = await consume(topic, [a, b])
    await untilTrue('those before the hole are done', async () => (await effects(topic)) === 3)
    for (const n of [3, 6]) if (messages[n]) b.put(0, messages[n])
    await effectsComplete(world.database, topic, source.counts)
    assert.ok(consumer.partitions.includes(0))
  })

  it('a hole that nobody fills is told as a gap, and nothing behind it is handled', async () => {
    const topic = 'gap'
    const carriers = [new FakeCarrier('a'), new FakeCarrier('b')]
    const source = elsewhere()
    const messages = Array.from({ length: 6 }, source.next)
    for (const carrier of carriers) for (const [n, message] of messages.entries()) if (n !== 2) carrier.put(0, message)
    const gaps: { readonly position: number; readonly origin: string }[] = []
    await using consumer = await consume(topic, carriers, { gap: (lane) => gaps.push(lane) })
    await untilTrue('the gap is told', () => gaps.length > 0)
    assert.deepEqual([gaps[0]?.position, gaps[0]?.origin], [2, source.log])
    assert.deepEqual((await effectsOf(world.database, topic)).get('k'), ['k#1', 'k#2'])
    if (messages[2]) carriers[1]?.put(0, messages[2])
    await effectsComplete(world.database, topic, source.counts)
    assert.ok(consumer.partitions.includes(0))
  })

  it('a hole of one log does not keep the lane of another closed', async () => {
    const topic = 'two-logs'
    const [a, b] = [new FakeCarrier('a'), new FakeCarrier('b')]
    const [holed, later] = [elsewhere('holed'), elsewhere('later')]
    const messages = Array.from({ length: 4 }, holed.next)
    for (const [n, message] of messages.entries()) if (n !== 1) a.put(0, message)
    // What came before is held no longer: its lane opens once no carrier can bring it.
    const kept = Array.from({ length: 6 }, later.next).slice(3)
    for (const message of kept) a.put(0, message)
    await using consumer = await consume(topic, [a, b])
    await untilTrue('the other lane is handled', async () => {
      const done = (await effectsOf(world.database, topic)).get('later') ?? []
      return done.join() === 'later#4,later#5,later#6'
    })
    assert.deepEqual((await effectsOf(world.database, topic)).get('holed'), ['holed#1'])
    assert.ok(consumer.partitions.includes(0))
  })

  it('a hole that nobody fills is told although another carrier has nothing at all', async () => {
    const topic = 'gap-beside-nothing'
    const [a, b] = [new FakeCarrier('a'), new FakeCarrier('b')]
    const source = elsewhere()
    const messages = Array.from({ length: 4 }, source.next)
    for (const [n, message] of messages.entries()) if (n !== 1) a.put(0, message)
    let gaps = 0
    await using consumer = await consume(topic, [a, b], { gap: () => (gaps += 1) })
    await untilTrue('the gap is told', () => gaps > 0)
    assert.ok(consumer.partitions.includes(0))
  })

  it('a carrier goes back after 200 ms to what it passed over', async () => {
    const topic = 'goes-back'
    const carrier = new FakeCarrier('a')
    const source = elsewhere()
    const messages = Array.from({ length: 4 }, source.next)
    for (const n of [0, 2, 3, 1]) if (messages[n]) carrier.put(0, messages[n])
    await using consumer = await consume(topic, [carrier])
    await effectsComplete(world.database, topic, source.counts, 4_500)
    assert.ok(consumer.partitions.includes(0))
  })

  it('a new lane starts with the first message that any carrier holds', async () => {
    const topic = 'first'
    const [old, young] = [new FakeCarrier('old'), new FakeCarrier('young')]
    const source = elsewhere()
    const messages = Array.from({ length: 10 }, source.next)
    for (const [n, message] of messages.entries()) if (n >= 6) young.put(0, message)
    await using consumer = await consume(topic, [old, young])
    await delay(100)
    for (const message of messages) old.put(0, message)
    await effectsComplete(world.database, topic, source.counts)
    assert.ok(consumer.partitions.includes(0))
  })

  it('a new lane waits for a carrier that is away, and begins with what that one holds', async () => {
    const topic = 'first-away'
    const [old, young] = [new FakeCarrier('old'), new FakeCarrier('young')]
    const source = elsewhere()
    const messages = Array.from({ length: 10 }, source.next)
    for (const [n, message] of messages.entries()) (n >= 6 ? young : old).put(0, message)
    old.breakWith(new PlatformError('QUEUE_UNAVAILABLE', 'the broker is away'))
    await using consumer = await consume(topic, [old, young])
    await untilTrue('the other is asked again and again', () => old.refusals >= 50)
    assert.equal(await effects(topic), 0)
    old.breakWith(undefined)
    await effectsComplete(world.database, topic, source.counts)
    assert.ok(consumer.partitions.includes(0))
  })

  it('a new lane begins where the relay did, although its first messages come late', async () => {
    const topic = 'based'
    const carrier = new FakeCarrier('a')
    const source = elsewhere()
    const messages = Array.from({ length: 8 }, source.next).map((message) => ({
      ...message,
      origin: { ...message.origin, base: 3 },
    }))
    // The relay was cut off and goes back: 4 comes behind 5 and 6.
    for (const n of [4, 5, 3, 4, 5, 6, 7]) if (messages[n]) carrier.put(0, messages[n])
    await using consumer = await consume(topic, [carrier])
    await untilTrue('all from the base on', async () => (await effects(topic)) === 5)
    assert.deepEqual((await effectsOf(world.database, topic)).get('k'), ['k#4', 'k#5', 'k#6', 'k#7', 'k#8'])
    assert.ok(consumer.partitions.includes(0))
  })

  it('a new lane begins with the first message that is still held, where the carrier has dropped what was before', async () => {
    const topic = 'dropped'
    const [a, b] = [new FakeCarrier('a'), new FakeCarrier('b')]
    const source = elsewhere()
    const messages = Array.from({ length: 8 }, source.next)
    for (const message of messages.slice(4)) a.put(0, { ...message, origin: { ...message.origin, base: 0 } })
    await using consumer = await consume(topic, [a, b])
    await untilTrue('all that is held', async () => (await effects(topic)) === 4)
    assert.deepEqual((await effectsOf(world.database, topic)).get('k'), ['k#5', 'k#6', 'k#7', 'k#8'])
    assert.ok(consumer.partitions.includes(0))
  })

  it('leases that share a partition of a carrier handle each its own messages, and tell the least that they have passed', async () => {
    const topic = 'shared'
    const carrier = new FakeCarrier('a', 4)
    const slow = gate('lease 4 has its first message')
    const sources = [elsewhere('k0', 0), elsewhere('k4', 4), elsewhere('k8', 8)]
    const foreign = new Map<string, number>()
    const put = (n: number) => {
      const message = sources[n]?.next()
      if (message !== undefined) carrier.put(0, message)
    }
    const handle = recording(topic, ({ key, id }) => (key === 'k4' && id === 'k4#1' ? slow.pass() : undefined))
    for (const n of [0, 2, 0, 1, 0, 2, 0]) put(n)
    carrier.put(0, nextMessage(foreign, 'foreign'))
    await using consumer = await member.consume(
      { group: 'g-shared', topic, handle, maxMessages: 1 },
      { carriers: [carrier] },
    )
    await slow.reached
    await untilTrue('the others are done', async () => (await effects(topic)) === 7)
    const told = () =>
      Math.max(0, ...carrier.passedNotes.filter(({ partition }) => partition === 0).map(({ next }) => next.number))
    const toldEarly = told()
    assert.ok(toldEarly <= 4, `${toldEarly} was told as passed, and position 4 was not`)
    slow.open()
    await untilTrue('all are done', async () => (await effects(topic)) === 8)
    await untilTrue('all is told as passed', () => told() === 9)
    assert.ok(consumer.partitions.includes(0))
  })

  it('leases of a wide carrier have no say in what was passed of a narrower one', async () => {
    const topic = 'wide-and-narrow'
    const [wide, narrow] = [new FakeCarrier('wide', 20), new FakeCarrier('narrow', 16)]
    const first = gate('the first message is being handled')
    const counts = new Map<string, number>()
    for (let n = 0; n < 3; n += 1) narrow.put(1, nextMessage(counts, 'narrow'))
    wide.put(17, nextMessage(counts, 'wide'))
    const handle = recording(topic, ({ id }) => (id === 'narrow#1' ? first.pass() : undefined))
    await using consumer = await member.consume(
      { group: `g-${topic}`, topic, handle, maxMessages: 1 },
      { carriers: [wide, narrow] },
    )
    await first.reached
    await untilTrue('lease 17 is read', async () => (await effects(topic)) === 1)
    await delay(100)
    assert.deepEqual(narrow.passedNotes, [])
    first.open()
    await effectsComplete(world.database, topic, counts)
    assert.equal(consumer.partitions.length, 20)
  })

  it('a topic that was made anew is read from its start, and only what is new there has an effect', async () => {
    const topic = 'anew'
    const carrier = new FakeCarrier('a')
    const source = elsewhere()
    const foreign = new Map<string, number>()
    const messages = Array.from({ length: 5 }, source.next)
    for (const message of messages) carrier.put(0, message)
    for (let n = 0; n < 3; n += 1) carrier.put(0, nextMessage(foreign, 'foreign'), 2)
    await using consumer = await consume(topic, [carrier])
    await untilTrue('the first are done', async () => (await effects(topic)) === 8)
    carrier.recreate()
    for (const message of [...messages.slice(2), source.next(), source.next()]) carrier.put(0, message)
    for (let n = 0; n < 3; n += 1) carrier.put(0, nextMessage(foreign, 'foreign'), n)
    await effectsComplete(world.database, topic, new Map([...source.counts, ...foreign]))
    assert.ok(consumer.partitions.includes(0))
  })

  it('a carrier that fails is read again where it stood, while the other goes on', async () => {
    const topic = 'fails'
    const [a, b] = [new FakeCarrier('a'), new FakeCarrier('b')]
    const source = elsewhere()
    const put = (carriers: readonly FakeCarrier[]) => {
      const message = source.next()
      for (const carrier of carriers) carrier.put(0, message)
    }
    for (let n = 0; n < 5; n += 1) put([a, b])
    await using consumer = await consume(topic, [a, b])
    await untilTrue('the first are done', async () => (await effects(topic)) === 5)
    a.breakWith(new PlatformError('QUEUE_UNAVAILABLE', 'the broker is away'))
    for (let n = 0; n < 5; n += 1) put([a, b])
    await untilTrue('the other goes on', async () => (await effects(topic)) === 10)
    a.breakWith(undefined)
    for (let n = 0; n < 5; n += 1) put([a])
    await effectsComplete(world.database, topic, source.counts)
    assert.ok(consumer.partitions.includes(0))
  })

  it('foreign messages are read from every partition of the carrier', async () => {
    const topic = 'wide'
    const carrier = new FakeCarrier('a', 20)
    const counts = new Map<string, number>()
    for (let partition = 0; partition < 20; partition += 1) carrier.put(partition, nextMessage(counts, `k${partition}`))
    await using consumer = await consume(topic, [carrier])
    await effectsComplete(world.database, topic, counts)
    assert.ok(consumer.partitions.length >= logPartitions)
  })

  it('a foreign message whose key holds a NUL does not stop its lane', async () => {
    const topic = 'nul'
    const carrier = new FakeCarrier('a')
    const counts = new Map<string, number>()
    carrier.put(0, { ...nextMessage(new Map(), 'bad'), id: 'b\u0000d', key: 'b\u0000d' })
    carrier.put(0, nextMessage(counts, 'good'))
    await using consumer = await consume(topic, [carrier])
    await untilTrue('the next is done', async () => (await effectsOf(world.database, topic)).has('good'))
    assert.ok(consumer.partitions.includes(0))
  })

  it('a foreign message whose time no table holds is set aside like any other', async () => {
    const topic = 'time'
    const carrier = new FakeCarrier('a')
    const counts = new Map<string, number>()
    for (const at of [1.7e18, -1.7e18]) carrier.put(0, { ...nextMessage(new Map(), `at ${at}`), at })
    carrier.put(0, nextMessage(counts, 'good'))
    const effect = recording(topic)
    const handle: Handle = async (tx, messages) => {
      const bad = messages.find(({ key }) => key.startsWith('at '))
      if (bad !== undefined) throw new MessageError(bad.id, new PoisonMessageError('rubbish'))
      await effect(tx, messages)
    }
    const died: string[] = []
    const events: ConsumerEvents = { died: ({ key }) => died.push(key) }
    await using consumer = await member.consume(
      { group: `g-${topic}`, topic, handle, afterDeath: 'flow' },
      { carriers: [carrier], events },
    )
    await effectsComplete(world.database, topic, counts)
    assert.deepEqual(died, ['at 1700000000000000000', 'at -1700000000000000000'])
    assert.ok(consumer.partitions.includes(0))
  })

  it('a carrier is told that something was passed only when it was handled', async () => {
    const topic = 'passed'
    const carrier = new FakeCarrier('a')
    const first = gate('the first batch is being handled')
    const counts = new Map<string, number>()
    carrier.put(0, nextMessage(counts, 'k0'))
    await using consumer = await member.consume(
      { group: 'g-passed', topic, concurrency: 1, handle: recording(topic, () => first.pass()) },
      { carriers: [carrier] },
    )
    await first.reached
    for (let partition = 1; partition < logPartitions; partition += 1)
      carrier.put(partition, nextMessage(counts, `k${partition}`))
    await delay(100)
    const stopping = consumer.stop()
    first.open()
    await stopping
    assert.equal(new Set(carrier.passedNotes.map(({ partition }) => partition)).size <= (await effects(topic)), true)
  })
})
