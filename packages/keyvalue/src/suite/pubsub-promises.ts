import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { PubSub } from '../pubsub.ts'
import { type DriverPromise, driverPromise, until } from './proof.ts'

/** What a pub/sub driver is proved with. */
export interface PubSubFixture extends AsyncDisposable {
  readonly here: PubSub
  /** The same as another process has it; for a driver inside one process, `here` again. */
  readonly there: PubSub
  /** What `onError` of either was told. */
  readonly errors: readonly unknown[]
}

/** What every `PubSub` keeps while its connection holds. */
export const pubSubPromises: readonly DriverPromise<PubSubFixture>[] = [
  driverPromise('each subscription gets each message once, in order, here and there', async (fixture) => {
    const channel = newChannel()
    const remote = [await connected(fixture, channel), await connected(fixture, channel)]
    const heard = [...remote, listening(fixture.here, channel)]
    const sent = Array.from({ length: 200 }, (_, index) => `message ${index}`)
    for (const payload of sent) fixture.here.publish(channel, payload)
    await until('the last message arrives', () => heard.every((list) => list.at(-1) === sent.at(-1)))
    await flushed(fixture, channel, heard)
    for (const list of heard) assert.deepEqual(list, [...sent, 'flush'])
  }),
  driverPromise('equal messages arrive as often as they were published', async (fixture) => {
    const channel = newChannel()
    const heard = await connected(fixture, channel)
    // Many, so that some meet in whatever the driver gathers.
    const sent = Array.from({ length: 100 }, () => 'same')
    for (const payload of sent) fixture.here.publish(channel, payload)
    await flushed(fixture, channel, [heard])
    assert.deepEqual(heard, [...sent, 'flush'])
  }),
  driverPromise('a message stays on its channel', async (fixture) => {
    const channel = newChannel()
    const heard = await connected(fixture, channel)
    const others = [`${channel}x`, channel.slice(0, -1)].map((name) => listening(fixture.here, name))
    fixture.here.publish(channel, 'for this one')
    fixture.here.publish(`${channel}x`, 'for another')
    await flushed(fixture, channel, [heard])
    assert.deepEqual(heard, ['for this one', 'flush'])
    assert.deepEqual(others, [['for another'], []])
  }),
  driverPromise('publish returns before any listener is called', async ({ here }) => {
    const channel = newChannel()
    const heard = listening(here, channel)
    here.publish(channel, 'message')
    assert.deepEqual(heard, [])
    await until('the message arrives', () => heard.length === 1)
  }),
  driverPromise('an ended subscription is not called again, not even for what was on its way', async (fixture) => {
    const channel = newChannel()
    const heard = await connected(fixture, channel)
    const calls: string[] = []
    const end = fixture.here.subscribe(channel, (payload) => calls.push(payload))
    fixture.here.publish(channel, 'on its way')
    end()
    end()
    fixture.here.publish(channel, 'later')
    await flushed(fixture, channel, [heard])
    assert.deepEqual(calls, [])
    assert.deepEqual(heard, ['on its way', 'later', 'flush'])
  }),
  driverPromise('a subscription hears only what is published after it began', async ({ here }) => {
    const channel = newChannel()
    const first = listening(here, channel)
    here.publish(channel, 'before')
    const heard = listening(here, channel)
    here.publish(channel, 'after')
    await until('the later message arrives', () => heard.includes('after'))
    assert.deepEqual(heard, ['after'])
    assert.deepEqual(first, ['before', 'after'])
  }),
  driverPromise('a function that subscribes twice is called twice, and ends one by one', async ({ here }) => {
    const channel = newChannel()
    const heard: string[] = []
    const listener = (payload: string) => heard.push(payload)
    const end = here.subscribe(channel, listener)
    here.subscribe(channel, listener)
    here.publish(channel, 'twice')
    await until('both are called', () => heard.length === 2)
    end()
    here.publish(channel, 'once')
    here.publish(channel, 'end')
    await until('the end arrives', () => heard.includes('end'))
    assert.deepEqual(heard, ['twice', 'twice', 'once', 'end'])
  }),
  driverPromise('a listener that throws is told of and harms no other, here and there', async (fixture) => {
    const channel = newChannel()
    const broken = new Error('broken listener')
    for (const side of [fixture.here, fixture.there]) {
      side.subscribe(channel, (payload) => {
        if (payload === 'message') throw broken
      })
    }
    const heard = [await connected(fixture, channel), listening(fixture.here, channel)]
    fixture.here.publish(channel, 'message')
    await flushed(fixture, channel, heard)
    for (const list of heard) assert.deepEqual(list, ['message', 'flush'])
    assert.deepEqual(fixture.errors, [broken, broken])
  }),
  driverPromise('payloads arrive unchanged, from the empty one to the longest', async (fixture) => {
    const channel = newChannel()
    const heard = await connected(fixture, channel)
    const limit = fixture.here.payloadLimitBytes
    const longest = 'é'.repeat(limit / 2).padEnd(limit - Math.floor(limit / 2), 'x')
    assert.equal(Buffer.byteLength(longest), limit)
    const sent = ['', ' a  b ', '\'"\\ %\r\n', '{"seq":1}', 'ž€😀', longest]
    for (const payload of sent) fixture.here.publish(channel, payload)
    await flushed(fixture, channel, [heard])
    assert.deepEqual(heard, [...sent, 'flush'])
  }),
  driverPromise('a payload out of bounds is refused and harms no other', async (fixture) => {
    const channel = newChannel()
    const heard = await connected(fixture, channel)
    fixture.here.publish(channel, 'message')
    const tooLong = `é${'x'.repeat(fixture.here.payloadLimitBytes - 1)}`
    assert.throws(() => fixture.here.publish(channel, tooLong), RangeError)
    for (const bad of ['a\0b', 'a\ud800']) assert.throws(() => fixture.here.publish(channel, bad), TypeError)
    await flushed(fixture, channel, [heard])
    assert.deepEqual(heard, ['message', 'flush'])
  }),
  driverPromise('a channel out of bounds is refused', async ({ here }) => {
    for (const bad of ['', 'Live', 'a b', 'a"b', '1a', 'a\n', 'a'.repeat(41)]) {
      assert.throws(() => here.publish(bad, 'message'), RangeError)
      assert.throws(() => here.subscribe(bad, () => undefined), RangeError)
    }
    const heard = listening(here, 'a'.repeat(40))
    here.publish('a'.repeat(40), 'message')
    await until('a message on the longest channel arrives', () => heard.length === 1)
  }),
]

const probe = 'probe'

/** A channel of its own, so that proofs may share a server. */
function newChannel(): string {
  return `suite.${randomBytes(8).toString('hex')}`
}

/** What a new subscription hears. */
function listening(side: PubSub, channel: string): string[] {
  const heard: string[] = []
  side.subscribe(channel, (payload) => {
    if (payload !== probe) heard.push(payload)
  })
  return heard
}

/** What a new subscription there hears, once it hears what is published here. */
async function connected({ here, there }: PubSubFixture, channel: string): Promise<string[]> {
  const heard = listening(there, channel)
  let reached = false
  const end = there.subscribe(channel, () => {
    reached = true
  })
  await until('a message from here is heard there', () => {
    if (!reached) here.publish(channel, probe)
    return reached
  })
  end()
  return heard
}

/** Waits until everything published before has arrived. */
async function flushed({ here, errors }: PubSubFixture, channel: string, heard: readonly string[][]): Promise<void> {
  here.publish(channel, 'flush')
  await until(`all subscriptions get the last message (${errors.length} errors)`, () =>
    heard.every((list) => list.includes('flush')),
  )
}
