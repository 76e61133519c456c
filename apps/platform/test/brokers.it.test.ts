import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { startKafka, startNats, type TestService } from '../../../tools/services/testing.ts'
import { get, post, testPlatform } from './support/platform.ts'
import { shopAt } from './support/shop.ts'

let kafka: TestService
let nats: TestService
before(async () => {
  ;[kafka, nats] = await Promise.all([startKafka(), startNats()])
})
after(async () => {
  await Promise.all([kafka[Symbol.asyncDispose](), nats[Symbol.asyncDispose]()])
})

const addresses = () => ({ KAFKA_BROKERS: kafka.address, NATS_URL: `nats://${nats.address}` })
const patienceMs = 60_000

async function processed(url: string, messageId: unknown): Promise<void> {
  const state = async () => (await get(`${url}/api/v1/messages/${String(messageId)}`)).body['status']
  await untilTrue(`${String(messageId)} is processed`, async () => (await state()) === 'processed', patienceMs)
}

function queueOf(body: Readonly<Record<string, unknown>>) {
  // The contract's statistics.
  return body['queue'] as {
    size: number
    composite_stats?: Record<string, { healthy: boolean; size: number; published: number; failed: number; lag: number }>
  }
}

describe('the pipeline', () => {
  for (const [type, confirm] of [
    ['kafka', 'log'],
    ['kafka', 'broker'],
    ['nats', 'log'],
    ['nats', 'broker'],
    ['composite', 'log'],
  ] as const) {
    it(`over ${type}, confirmed by the ${confirm}, accepts and processes`, async () => {
      const env = { ...addresses(), QUEUE_TYPE: type, INGEST_CONFIRM: confirm, KAFKA_TOPIC: `t-${type}-${confirm}` }
      await using running = await testPlatform({ env })
      const url = running.at('gateway')
      const { status, body } = await post(`${url}/api/v1/ingest`, { source: 's', data: 'hello' })
      assert.equal(status, 200, JSON.stringify(body))
      await processed(url, body['messageId'])
      let ready = await get(`${url}/ready`)
      await untilTrue('it is ready', async () => (ready = await get(`${url}/ready`)).status === 200, patienceMs)
      const brokers = type === 'composite' ? { 'broker:nats': 'ok', 'broker:kafka': 'ok' } : { broker: 'ok' }
      assert.deepEqual(ready.body, { status: 'ready', database: 'ok', keyvalue: 'ok', ...brokers })
      const shown = await get(`${url}/api/v1/status`)
      assert.deepEqual(shown.body['ingest'], {
        healthy: true,
        stats: { TotalReceived: 1, TotalSent: 1, TotalFailed: 0 },
      })
    })
  }
})

describe('a composite whose broker is away', () => {
  it('best-effort: accepts, shows who lags, and brings it up to date by itself', async () => {
    const env = { ...addresses(), QUEUE_TYPE: 'composite', COMPOSITE_STRATEGY: 'best-effort', KAFKA_TOPIC: 'best' }
    await using running = await testPlatform({ env })
    const url = running.at('gateway')
    const stats = async () => queueOf((await get(`${running.at('processor')}/stats`)).body).composite_stats
    await post(`${url}/api/v1/ingest`, { source: 's', data: 'first' })
    await untilTrue('both have it', async () => (await stats())?.['total']?.published === 2, patienceMs)
    await nats.kill()
    try {
      const { status, body } = await post(`${url}/api/v1/ingest`, { source: 's', data: 'second' })
      assert.equal(status, 200)
      await processed(url, body['messageId'])
      const onlyNatsIsAway = async () => {
        const { status, body: parts } = await get(`${url}/ready`)
        return status === 503 && parts['broker:kafka'] === 'ok' && parts['broker:nats'] !== 'ok'
      }
      await untilTrue('nats alone is away', onlyNatsIsAway, patienceMs)
      const onlyNatsLags = async () => {
        const shown = await stats()
        const isAway = shown?.['nats']?.healthy === false && shown['total']?.healthy === false
        return isAway && shown['nats']?.lag === 1 && shown['kafka']?.lag === 0
      }
      await untilTrue('nats alone lags', onlyNatsLags, patienceMs)
      const key = { 'idempotency-key': randomUUID() }
      const third = await post(`${url}/api/v1/ingest`, { source: 's', data: 'third' }, key)
      assert.deepEqual([third.status, third.body['lagging']], [200, ['nats']])
      assert.deepEqual((await post(`${url}/api/v1/ingest`, { source: 's', data: 'third' }, key)).body, third.body)
    } finally {
      await nats.start()
    }
    await untilTrue('nats has them, too', async () => (await stats())?.['total']?.published === 6, patienceMs)
    await untilTrue('all are well', async () => (await stats())?.['total']?.healthy === true, patienceMs)
    await untilTrue('nats lags no more', async () => (await stats())?.['nats']?.lag === 0, patienceMs)
    await untilTrue('it is ready again', async () => (await get(`${url}/ready`)).status === 200, patienceMs)
  })

  it('fail-fast: says that it does not know, then refuses, and the same key is accepted once all are back', async () => {
    const env = { ...addresses(), QUEUE_TYPE: 'composite', KAFKA_TOPIC: 'fast', INGEST_CONFIRM_TIMEOUT_MS: '1500' }
    await using running = await testPlatform({ env })
    const url = running.at('gateway')
    const send = (key: string) => post(`${url}/api/v1/ingest`, { source: 's', data: key }, { 'idempotency-key': key })
    await untilTrue('all are well', async () => (await send('warm')).status === 200, patienceMs)
    await nats.kill()
    let messageId: unknown
    try {
      const unknown = await send('a')
      assert.equal(unknown.status, 503)
      assert.equal(unknown.body['code'], 'outcome_unknown')
      assert.deepEqual(unknown.body['providers'], ['nats'])
      messageId = unknown.body['messageId']
      await processed(url, messageId)
      // Each with a key of its own: what was recorded once is waited for again and not refused.
      let refused = unknown
      await untilTrue(
        'it refuses',
        async () => (refused = await send(randomUUID())).body['code'] === 'queue_unavailable',
        patienceMs,
      )
      assert.match(String(refused.body['detail']), /nats/)
      assert.deepEqual(refused.body['providers'], ['nats'])
      assert.ok(refused.headers.get('retry-after'))
    } finally {
      await nats.start()
    }
    await untilTrue('the same key is accepted', async () => (await send('a')).status === 200, patienceMs)
    assert.equal((await send('a')).body['messageId'], messageId)
  })
})

describe('orders and payments', () => {
  for (const queue of ['kafka', 'nats', 'composite']) {
    it(`over ${queue}, each in a database of its own, see an order paid`, async () => {
      await using orders = await testDatabase()
      await using payments = await testDatabase()
      const databases = { ORDERS_DATABASE_URL: orders.url, PAYMENTS_DATABASE_URL: payments.url }
      const env = { ...addresses(), ...databases, SHOP_QUEUE_TYPE: queue }
      await using running = await testPlatform({ only: 'payments,orders,gateway', env })
      const shop = shopAt(running.at('gateway'))
      const user = await shop.openAccount()
      await shop.topUp(user, 100)
      const ids = []
      for (let n = 0; n < 5; n += 1) ids.push((await shop.order(user, 10)).body['id'])
      for (const id of ids) {
        await untilTrue(
          `${String(id)} is paid`,
          async () => (await shop.orderOf(id)).body['status'] === 'paid',
          patienceMs,
        )
      }
      assert.equal(await shop.balanceOf(user), 50)
    })
  }
})
