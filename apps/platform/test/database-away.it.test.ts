import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { testDatabase, testServer, untilTrue } from '@headrace/database/testing'
import { get, post, testPlatform } from './support/platform.ts'

describe('a database that goes away', { timeout: 240_000 }, () => {
  it('is told at once, nothing is accepted meanwhile, and all goes on by itself when it is back', async () => {
    await using server = await testServer()
    const queue = { QUEUE_TYPE: 'composite', COMPOSITE_PROVIDERS: 'postgres', COMPOSITE_STRATEGY: 'best-effort' }
    await using running = await testPlatform({ env: { DATABASE_URL: server.url, ...queue } })
    const url = `${running.at('gateway')}/api/v1`
    const first = await post(`${url}/ingest`, { data: 'before' })
    assert.equal(first.status, 200)
    assert.equal((await get(`${running.at('processor')}/stats`)).status, 200)

    await server.stop()
    await untilTrue('it is told', async () => (await get(`${running.at('gateway')}/ready`)).status === 503)
    const ready = (await get(`${running.at('gateway')}/ready`)).body
    assert.equal(ready['status'], 'unavailable')
    assert.equal(ready['database'], 'the database is not available')
    for (const headers of [{}, { 'idempotency-key': 'k' }]) {
      const refused = await post(`${url}/ingest`, { data: 'meanwhile' }, headers)
      assert.deepEqual([refused.status, refused.body['code']], [503, 'queue_unavailable'], JSON.stringify(refused.body))
      assert.ok(refused.headers.get('retry-after'))
    }
    assert.equal((await get(`${running.at('gateway')}/health`)).status, 200)
    const numbers = await fetch(`${running.at('internal')}/metrics`)
    assert.equal(numbers.status, 200)
    assert.match(await numbers.text(), /^headrace_http_requests_total/m)
    const stats = await get(`${running.at('processor')}/stats`)
    assert.equal(stats.status, 200)
    assert.partialDeepStrictEqual(stats.body, {
      queue: { composite_stats: { postgres: { healthy: false, published: 1 }, total: { healthy: false } } },
    })
    const parts = (await get(`${url}/status`)).body as Record<string, { healthy: boolean; error?: string }>
    for (const part of ['ingest', 'processor'].map((name) => parts[name])) {
      assert.equal(part?.healthy, false)
      assert.match(part?.error ?? '', /database: the database is not available/)
    }
    assert.equal((await get(`${url}/messages/${first.body['messageId']}`)).status, 503)

    await server.restart()
    await untilTrue(
      'it accepts again',
      async () => (await post(`${url}/ingest`, { data: 'after' })).status === 200,
      30_000,
    )
    const again = await post(`${url}/ingest`, { data: 'meanwhile' }, { 'idempotency-key': 'k' })
    assert.equal(again.status, 200)
    for (const id of [first.body['messageId'], again.body['messageId']]) {
      await untilTrue(
        `${id} is processed`,
        async () => (await get(`${url}/messages/${id}`)).body['status'] === 'processed',
        30_000,
      )
    }
    await untilTrue('it is ready', async () => (await get(`${running.at('gateway')}/ready`)).status === 200)
  })

  it('keeps no module with a database of its own from starting and from taking what it can', async () => {
    await using server = await testServer()
    await using own = await testDatabase()
    const env = { DATABASE_URL: own.url, PAYMENTS_DATABASE_URL: (await testDatabase({ server: server.url })).url }
    await server.stop()
    await using api = await testPlatform({ only: 'orders:api', env })
    assert.equal((await get(`${api.at('public')}/ready`)).status, 200)
    await using orders = await testPlatform({ only: 'orders', env })
    const url = orders.at('public')
    const { status, body } = await post(`${url}/orders-api/orders`, { user_id: randomUUID() })
    assert.deepEqual([status, body['status']], [201, 'created'])
    const { broker, ...ready } = (await get(`${url}/ready`)).body
    assert.deepEqual([ready['status'], ready['database'], broker], ['unavailable', 'ok', 'ok'])
    assert.notEqual(ready['broker:payments'], 'ok')

    await server.restart()
    await using _payments = await testPlatform({ only: 'payments', env: { ...env, ORDERS_DATABASE_URL: own.url } })
    const orderStatus = async () => (await get(`${url}/orders-api/orders/${body['id']}`)).body['status']
    await untilTrue('its payment has failed', async () => (await orderStatus()) === 'payment_failed', 60_000)
    await untilTrue('it is ready', async () => (await get(`${url}/ready`)).status === 200)
  })
})
