import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { PlatformError, sleep } from '@headrace/runtime'
import { type Message, PublishError, type Transport } from '@headrace/transport'
import { Follower, relayed } from '@headrace/transport/suite'
import { natsTransport } from '@headrace/transport-nats'
import { startNats, type TestService } from '../../../tools/services/testing.ts'
import { administer } from './support/administration.ts'
import { coreTransport } from './support/core-mutant.ts'

const numbered = (name: string, count: number, first = 1): Message[] =>
  Array.from({ length: count }, (_, at) => {
    const id = `${name}#${first + at}`
    return { id, key: name, type: 'test', headers: {}, body: Buffer.from(id) }
  })

describe('a server that fails', () => {
  let server: TestService
  before(async () => {
    server = await startNats()
  })
  after(() => server[Symbol.asyncDispose]())
  const connect = () =>
    natsTransport({ servers: [server.address], timeoutMs: 3_000, pingMs: 500, connectTimeoutMs: 1_000 })

  for (const [how, fail] of [
    ['is restarted', () => server.restart()],
    ['is killed and started', () => server.kill().then(() => server.start())],
  ] as const) {
    it(`${how} at a third and at half of 6 000 messages loses nothing that was confirmed, and keeps the order`, async () => {
      const topic = `fails-${randomUUID()}`
      await using publisher = connect()
      await using reader = connect()
      const partitions = [0, 1, 2, 3, 4, 5]
      let confirmed = 0
      let failures = 0
      let failing = Promise.resolve()
      const publishing = partitions.map(async (partition) => {
        for (let at = 0; at < 1_000; at += 25) {
          await relayed(publisher, topic, partition, numbered(`k${partition}`, 25, at + 1))
          confirmed += 25
          if (confirmed !== 2_000 && confirmed !== 3_000) continue
          failures += 1
          failing = failing.then(fail)
        }
      })
      await using followers = new AsyncDisposableStack()
      const following = partitions.map((partition) => followers.use(new Follower(reader, topic, partition)))
      await Promise.all(publishing)
      await failing
      for (const [partition, follower] of following.entries()) {
        await follower.until(`1 000 of partition ${partition}`, () => follower.ids.length === 1_000)
        assert.deepEqual(
          follower.ids,
          numbered(`k${partition}`, 1_000).map(({ id }) => id),
        )
        assert.ok(follower.messages.every(({ key }) => key === `k${partition}`))
      }
      assert.equal(failures, 2)
    })
  }

  it('that stands still and goes on: publishing ends as unknown, reading says so, and both go on by themselves', async () => {
    const topic = `still-${randomUUID()}`
    await using carrier = connect()
    await using follower = new Follower(carrier, topic, 4)
    await relayed(carrier, topic, 4, numbered('k', 10))
    await follower.until('the first ten', () => follower.ids.length === 10)
    server.pause()
    try {
      const error = await carrier.publish(topic, 4, numbered('k', 10, 11)).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      assert.ok(error instanceof PublishError && error.outcome === 'unknown', String(error))
      await follower.until('a failure of the read', () => follower.failures > 0)
      await assert.rejects(carrier.probe(AbortSignal.timeout(1_500)), PlatformError)
      const refused = await carrier.publish(topic, 4, numbered('k', 10, 11)).catch((thrown: unknown) => thrown)
      assert.ok(refused instanceof PublishError && refused.outcome === 'refused', String(refused))
    } finally {
      server.resume()
    }
    await relayed(carrier, topic, 4, numbered('k', 20, 11))
    await follower.until('all thirty', () => follower.ids.length === 30)
    assert.deepEqual(
      follower.ids,
      numbered('k', 30).map(({ id }) => id),
    )
  })

  it('that is away when it is first needed is found once it is there', async () => {
    await server.stop()
    const topic = `away-${randomUUID()}`
    await using carrier = connect()
    await using follower = new Follower(carrier, topic, 4)
    const refused = await carrier.publish(topic, 4, numbered('k', 1)).catch((thrown: unknown) => thrown)
    assert.ok(refused instanceof PublishError && refused.code === 'QUEUE_UNAVAILABLE', String(refused))
    await assert.rejects(carrier.probe(AbortSignal.timeout(5_000)), PlatformError)
    await server.start()
    await relayed(carrier, topic, 4, numbered('k', 5))
    await follower.until('all five', () => follower.ids.length === 5)
    await carrier.probe(AbortSignal.timeout(30_000))
  })

  it('a stream that is deleted and made again while nothing is written is noticed within seconds, and read from its start', async () => {
    const topic = `anew-${randomUUID()}`
    await using administration = await administer(server.address)
    await using carrier = connect()
    await using follower = new Follower(carrier, topic, 2)
    await relayed(carrier, topic, 2, numbered('old', 10))
    await follower.until('the first ten', () => follower.ids.length === 10)
    const old = await carrier.incarnationOf?.(topic)
    await administration.recreate(topic)
    for (const deadline = performance.now() + 30_000; (await carrier.incarnationOf?.(topic)) === old; await sleep(50)) {
      assert.ok(performance.now() < deadline, 'the new incarnation is not noticed')
    }
    await relayed(carrier, topic, 2, numbered('new', 3))
    await follower.until('all of both', () => follower.ids.length === 13)
    assert.equal(follower.incarnations.size, 2)
  })

  it('a stream that is deleted is made again by the next publish', async () => {
    const topic = `deleted-${randomUUID()}`
    await using administration = await administer(server.address)
    await using carrier = connect()
    await relayed(carrier, topic, 2, numbered('old', 2))
    await administration.manager.streams.delete(topic)
    await carrier.publish(topic, 2, numbered('new', 2))
    await using follower = new Follower(carrier, topic, 2)
    await follower.until('the new ones', () => follower.ids.length === 2)
    assert.deepEqual(follower.ids, ['new#1', 'new#2'])
  })

  it('a stream that is deleted while nobody publishes is made again by whoever asks for it', async () => {
    const topic = `asked-${randomUUID()}`
    await using administration = await administer(server.address)
    await using carrier = connect()
    const old = await carrier.incarnationOf?.(topic)
    await administration.manager.streams.delete(topic)
    let seen = old
    for (const deadline = performance.now() + 30_000; seen === old; await sleep(50)) {
      assert.ok(performance.now() < deadline, 'the new incarnation is not noticed')
      seen = await carrier.incarnationOf?.(topic).catch(() => old)
    }
    assert.equal((await carrier.held(topic, 3)).incarnation, seen)
  })

  it('a prefix that was purged, also while a read stands before it, is stepped over', async () => {
    const topic = `purged-${randomUUID()}`
    await using administration = await administer(server.address)
    await using carrier = connect()
    await relayed(carrier, topic, 2, numbered('k', 600))
    const iterator = carrier
      .read(topic, 2, { kind: 'beginning' }, { signal: new AbortController().signal, maxMessages: 10 })
      [Symbol.asyncIterator]()
    await iterator.next()
    await administration.manager.streams.purge(topic, { seq: 590 })
    const ids: string[] = []
    while (ids.at(-1) !== 'k#600')
      ids.push(...((await iterator.next()).value?.messages ?? []).map(({ id }: Message) => id))
    await iterator.return?.()
    assert.deepEqual(
      ids.slice(-11),
      numbered('k', 11, 590).map(({ id }) => id),
    )
    assert.ok(ids.length < 40, `${ids.length} messages of a purged stream`)
  })

  /** What was confirmed while the server stood still must be there when it was killed and has come back. */
  async function confirmedSurvives(carrier: Transport): Promise<void> {
    const topic = `confirmed-${randomUUID()}`
    const confirmed: string[] = []
    await using earlier = connect()
    await earlier.publish(topic, 1, numbered('k', 5))
    await carrier.probe(AbortSignal.timeout(30_000))
    server.pause()
    await carrier.publish(topic, 1, numbered('k', 5, 6)).then(
      () => confirmed.push('k#10'),
      () => undefined,
    )
    await server.kill()
    await server.start()
    await using reader = connect()
    await using follower = new Follower(reader, topic, 1)
    await relayed(reader, topic, 1, numbered('k', 1, 11))
    await follower.until('all that stands before one more', () => follower.ids.includes('k#11'))
    for (const id of confirmed) assert.ok(follower.ids.includes(id), `${id} was confirmed and is lost`)
  }

  it('confirms only what it holds, whatever happens to the server', async () => {
    await using carrier = connect()
    await confirmedSurvives(carrier)
  })

  it('the same promise notices a driver that does not wait for JetStream', async () => {
    await using administration = await administer(server.address)
    await using carrier = coreTransport(connect(), administration.connection)
    await assert.rejects(confirmedSurvives(carrier), /was confirmed and is lost/)
  })
})
