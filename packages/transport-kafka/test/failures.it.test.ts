import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { PlatformError, sleep } from '@headrace/runtime'
import { type Message, PublishError } from '@headrace/transport'
import { Follower, relayed } from '@headrace/transport/suite'
import { kafkaTransport } from '@headrace/transport-kafka'
import { startKafka, type TestService } from '../../../tools/services/testing.ts'
import { type Administration, administer } from './support/kafka-harness.ts'
import { takingSilenceForConsent } from './support/silence-mutant.ts'

const numbered = (name: string, count: number, first = 1): Message[] =>
  Array.from({ length: count }, (_, at) => {
    const id = `${name}#${first + at}`
    return { id, key: name, type: 'test', headers: {}, body: Buffer.from(id) }
  })

const idsOf = (messages: readonly Message[]) => messages.map(({ id }) => id)

/** Until the broker knows no more of a topic: what it confirms before lies in the one that is being deleted. */
async function gone({ admin }: Administration, topic: string): Promise<void> {
  const known = () =>
    admin.metadata({ topics: [topic], forceUpdate: true, retries: 0 }).then(
      () => true,
      () => false,
    )
  for (const deadline = performance.now() + 30_000; await known(); await sleep(20)) {
    assert.ok(performance.now() < deadline, `${topic} is still there`)
  }
}

describe('a broker that fails', () => {
  let broker: TestService
  before(async () => {
    broker = await startKafka()
  })
  after(() => broker[Symbol.asyncDispose]())
  const connect = () => kafkaTransport({ brokers: [broker.address], publishDeadlineMs: 4_000, requestTimeoutMs: 2_000 })

  it('is restarted at a third and killed at half of 10 000 messages: nothing that was confirmed is lost, the order kept', async () => {
    const topic = `fails-${randomUUID()}`
    await using publisher = connect()
    await using reader = connect()
    const partitions = Array.from({ length: 10 }, (_, at) => at)
    let confirmed = 0
    let failures = 0
    let failing: Promise<void> = Promise.resolve()
    const fail = (how: () => Promise<void>) => {
      failures += 1
      failing = failing.then(how)
    }
    const publishing = partitions.map(async (partition) => {
      for (let at = 0; at < 1_000; at += 25) {
        await relayed(publisher, topic, partition, numbered(`k${partition}`, 25, at + 1))
        confirmed += 25
        if (confirmed === 3_300) fail(() => broker.restart())
        if (confirmed === 5_000) fail(() => broker.kill().then(() => broker.start()))
      }
    })
    await using followers = new AsyncDisposableStack()
    const following = partitions.map((partition) => followers.use(new Follower(reader, topic, partition)))
    await Promise.all(publishing)
    await failing
    for (const [partition, follower] of following.entries()) {
      await follower.until(`1 000 of partition ${partition}`, () => follower.ids.length === 1_000)
      assert.deepEqual(follower.ids, idsOf(numbered(`k${partition}`, 1_000)))
    }
    assert.equal(failures, 2)
  })

  it('that stands still and goes on: publishing ends as unknown, reading says so, and both go on by themselves', async () => {
    const topic = `still-${randomUUID()}`
    await using carrier = connect()
    await using follower = new Follower(carrier, topic, 4)
    await relayed(carrier, topic, 4, numbered('k', 10))
    await follower.until('the first ten', () => follower.ids.length === 10)
    broker.pause()
    try {
      const error = await carrier.publish(topic, 4, numbered('k', 10, 11)).catch((thrown: unknown) => thrown)
      assert.ok(error instanceof PublishError && error.outcome === 'unknown', String(error))
      await follower.until('a failure of the read', () => follower.failures > 0)
      await assert.rejects(carrier.probe(AbortSignal.timeout(1_000)), PlatformError)
    } finally {
      broker.resume()
    }
    await relayed(carrier, topic, 4, numbered('k', 20, 11))
    await follower.until('all thirty', () => follower.ids.length === 30)
    assert.deepEqual(follower.ids, idsOf(numbered('k', 30)))
    await carrier.probe(AbortSignal.timeout(30_000))
  })

  it('that is away when it is first needed is found once it is there', async () => {
    await broker.stop()
    const topic = `away-${randomUUID()}`
    await using carrier = connect()
    await using follower = new Follower(carrier, topic, 4)
    const refused = await carrier.publish(topic, 4, numbered('k', 1)).catch((thrown: unknown) => thrown)
    assert.ok(refused instanceof PublishError && refused.code === 'QUEUE_UNAVAILABLE', String(refused))
    await assert.rejects(carrier.probe(AbortSignal.timeout(5_000)), PlatformError)
    await broker.start()
    await relayed(carrier, topic, 4, numbered('k', 5))
    await follower.until('all five', () => follower.ids.length === 5)
    await carrier.probe(AbortSignal.timeout(30_000))
  })

  it('a stop does not wait for a broker that stands still longer than its publishes do', async () => {
    const topic = `stop-${randomUUID()}`
    const carrier = connect()
    await using follower = new Follower(carrier, topic, 4)
    await relayed(carrier, topic, 4, numbered('k', 10))
    await follower.until('the first ten', () => follower.ids.length === 10)
    broker.pause()
    try {
      const publishing = carrier.publish(topic, 4, numbered('k', 1, 11)).catch((thrown: unknown) => thrown)
      const from = performance.now()
      await carrier.stop()
      assert.ok((await publishing) instanceof PublishError)
      assert.ok(performance.now() - from < 20_000, `the stop took ${performance.now() - from} ms`)
    } finally {
      broker.resume()
    }
  })

  it('a topic that was deleted and made again is noticed within seconds, also while nothing is written', async () => {
    const topic = `anew-${randomUUID()}`
    await using administration = administer(broker.address)
    await using carrier = connect()
    await using follower = new Follower(carrier, topic, 2)
    await relayed(carrier, topic, 2, numbered('old', 10))
    await follower.until('the first ten', () => follower.ids.length === 10)
    const old = await carrier.incarnationOf?.(topic)
    await administration.recreate(topic)
    for (const deadline = performance.now() + 30_000; ; await sleep(50)) {
      const now = await carrier.incarnationOf?.(topic).catch(() => old)
      if (now !== old) break
      assert.ok(performance.now() < deadline, 'the new incarnation is not noticed')
    }
    await relayed(carrier, topic, 2, numbered('new', 3))
    await follower.until('all of both', () => follower.ids.length === 13)
    assert.equal(follower.incarnations.size, 2)
  })

  it('a topic that was deleted and that nobody makes again is made again by its next use', async () => {
    const topic = `deleted-${randomUUID()}`
    await using administration = administer(broker.address)
    await using carrier = connect()
    await relayed(carrier, topic, 2, numbered('old', 2))
    await administration.remove(topic)
    await gone(administration, topic)
    assert.ok((await relayed(carrier, topic, 2, numbered('new', 2))) > 0, 'it was not made again at once')
    await using follower = new Follower(carrier, topic, 2)
    await follower.until('the new ones', () => follower.ids.length === 2)
    assert.deepEqual(follower.ids, ['new#1', 'new#2'])
  })

  /** What was confirmed while the broker stood still must be there when it was killed and has come back. */
  async function confirmedSurvives(carrier: ReturnType<typeof connect>): Promise<void> {
    const topic = `confirmed-${randomUUID()}`
    await relayed(carrier, topic, 1, numbered('k', 5))
    broker.pause()
    const confirmed = await carrier.publish(topic, 1, numbered('k', 5, 6)).then(
      () => true,
      () => false,
    )
    await broker.kill()
    await broker.start()
    await using reader = connect()
    await using follower = new Follower(reader, topic, 1)
    await relayed(reader, topic, 1, numbered('k', 1, 11))
    await follower.until('all that stands before one more', () => follower.ids.includes('k#11'))
    if (confirmed) assert.ok(follower.ids.includes('k#10'), 'k#10 was confirmed and is lost')
  }

  it('confirms only what it holds, whatever happens to the broker', async () => {
    await using carrier = connect()
    await confirmedSurvives(carrier)
  })

  it('the same promise notices a driver that takes silence for consent', async () => {
    await using carrier = takingSilenceForConsent(connect(), broker.address)
    await assert.rejects(confirmedSurvives(carrier), /was confirmed and is lost/)
  })
})
