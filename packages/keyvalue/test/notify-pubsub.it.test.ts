import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openDatabase, startWakeUps, type WakeUps } from '@headrace/database'
import { type TestDatabase, testDatabase, untilTrue } from '@headrace/database/testing'
import { notifyPubSub, type PubSubWakeUps } from '../src/index.ts'
import { type PubSubFixture, pubSubPromises } from '../src/suite/index.ts'

describe('notifyPubSub', () => {
  let database: TestDatabase
  let here: WakeUps
  let there: WakeUps

  before(async () => {
    database = await testDatabase({ name: 'pubsub' })
    here = startWakeUps({ url: database.url })
    there = startWakeUps({ url: database.url })
    await Promise.all([here.connected(), there.connected()])
  })

  after(async () => {
    await Promise.all([here.stop(), there.stop()])
    await database[Symbol.asyncDispose]()
  })

  describe('keeps what every driver promises:', () => {
    for (const promise of pubSubPromises) {
      it(promise.name, () => promise.prove(async () => fixtureOf(here, there)))
    }
  })

  it('its own subscriptions are served once each, without a connection too', async () => {
    const away = startWakeUps({ url: 'postgres://nobody@127.0.0.1:1/none' })
    try {
      const pubsub = notifyPubSub(away, { onError: assert.ifError })
      const heard: string[] = []
      pubsub.subscribe('live', (payload) => heard.push(payload))
      pubsub.publish('live', 'message')
      await untilTrue('the message arrives', () => heard.length > 0)
      assert.deepEqual(heard, ['message'])
    } finally {
      await away.stop()
    }
  })

  it('a subscription hears again after its connection was cut', async () => {
    const name = 'headrace-pubsub-cut'
    await using cut = startWakeUps({ url: database.url, applicationName: name })
    await cut.connected()
    const { promise: lost, resolve } = Promise.withResolvers<void>()
    cut.onLost(resolve)
    const heard: string[] = []
    notifyPubSub(cut, { onError: assert.ifError }).subscribe('cut', (payload) => heard.push(payload))
    await endConnections(database.url, name)
    await lost
    const publisher = notifyPubSub(here, { onError: assert.ifError })
    await untilTrue('a message arrives after the cut', () => {
      publisher.publish('cut', 'after')
      return heard.includes('after')
    })
  })

  it('without the number in front equal messages would be lost', async () => {
    const unnumbered = (wakeUps: WakeUps): PubSubWakeUps => ({
      listen: (channel, ring) => wakeUps.listen(channel, ring),
      notify: (channel, payload) => wakeUps.notify(channel, payload.slice(0, 12) + payload.slice(payload.indexOf(' '))),
    })
    await assert.rejects(
      promiseNamed('equal messages arrive as often as they were published').prove(async () =>
        fixtureOf(unnumbered(here), there),
      ),
    )
  })

  it('without the origin in front this process would hear its own messages twice', async () => {
    const anonymous = (wakeUps: WakeUps): PubSubWakeUps => ({
      listen: (channel, ring) => wakeUps.listen(channel, (payload) => ring(`somebody....${payload.slice(12)}`)),
      notify: (channel, payload) => wakeUps.notify(channel, payload),
    })
    await assert.rejects(
      promiseNamed('each subscription gets each message once, in order, here and there').prove(async () =>
        fixtureOf(anonymous(here), there),
      ),
    )
  })
})

async function fixtureOf(here: PubSubWakeUps, there: PubSubWakeUps): Promise<PubSubFixture> {
  const errors: unknown[] = []
  const options = { onError: (error: unknown) => errors.push(error) }
  return {
    here: notifyPubSub(here, options),
    there: notifyPubSub(there, options),
    errors,
    async [Symbol.asyncDispose]() {},
  }
}

function promiseNamed(name: string) {
  const promise = pubSubPromises.find((each) => each.name === name)
  assert.ok(promise, `the suite has no promise '${name}'`)
  return promise
}

async function endConnections(url: string, applicationName: string): Promise<void> {
  await using database = openDatabase({ url })
  await database.query({
    text: 'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1',
    values: [applicationName],
  })
}
