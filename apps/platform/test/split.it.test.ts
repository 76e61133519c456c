import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { get, post, testPlatform } from './support/platform.ts'

/** An address that nobody listens on. */
const nobody = 'http://127.0.0.1:1'

describe('the gateway in a process of its own', { timeout: 240_000 }, () => {
  for (const queueType of ['postgres', 'memory'] as const) {
    it(`hands on to ingest and processor in theirs (${queueType})`, async () => {
      await using database = await testDatabase()
      const env = { DATABASE_URL: database.url, QUEUE_TYPE: queueType }
      await using processor = await testPlatform({ only: 'pipeline:processor', env })
      const processorUrl = { PROCESSOR_URL: processor.at('processor') }
      await using ingest = await testPlatform({ only: 'pipeline:ingest', env: { ...env, ...processorUrl } })
      await using gateway = await testPlatform({
        only: 'gateway',
        env: { ...env, ...processorUrl, INGEST_URL: ingest.at('ingest') },
      })
      const url = gateway.at('gateway')
      const headers = { 'idempotency-key': 'k', 'x-request-id': 'my-request' }
      const accepted = await post(`${url}/api/v1/ingest`, { source: 's', data: 'hällo' }, headers)
      assert.equal(accepted.status, 200)
      assert.equal(accepted.body['durability'], queueType === 'memory' ? 'memory' : 'disk')
      assert.deepEqual(
        (await post(`${url}/api/v1/ingest`, { source: 's', data: 'hällo' }, headers)).body,
        accepted.body,
      )
      await untilTrue('the message is processed', async () => {
        const { body } = await get(`${url}/api/v1/messages/${accepted.body['messageId']}`)
        return body['status'] === 'processed' && body['result'] === 'PROCESSED_hällo'
      })
      const { ingest: ingestPart, processor: processorPart } = (await get(`${url}/api/v1/status`)).body as Record<
        string,
        unknown
      >
      assert.deepEqual(ingestPart, { healthy: true, stats: { TotalReceived: 1, TotalSent: 1, TotalFailed: 0 } })
      assert.equal((processorPart as { healthy: boolean }).healthy, true)
      const refused = await post(`${url}/api/v1/ingest`, { source: 5 }, { 'x-request-id': 'my-request' })
      assert.deepEqual(
        [refused.status, refused.body['code'], refused.body['instance']],
        [400, 'invalid_request', 'my-request'],
      )
      assert.equal((await get(`${url}/api/v1/messages/nobody-knows`)).status, 404)
      assert.ok('/api/v1/ingest' in ((await get(`${url}/openapi.json`)).body['paths'] as object))
    })
  }

  it('needs no database, and says which part cannot be reached', async () => {
    const env = { INGEST_URL: nobody, PROCESSOR_URL: nobody, DATABASE_URL: 'postgres://nobody:x@127.0.0.1:1/none' }
    await using gateway = await testPlatform({ only: 'gateway', env })
    const url = gateway.at('gateway')
    const { status, body } = await get(`${url}/api/v1/status`)
    assert.equal(status, 200)
    const part = { healthy: false, stats: null, error: `${nobody} cannot be reached` }
    assert.deepEqual(body, { ingest: part, processor: part })
    const refused = await post(`${url}/api/v1/ingest`, {})
    assert.deepEqual([refused.status, refused.body['code']], [503, 'queue_unavailable'])
    assert.ok(refused.headers.get('retry-after'))
    assert.equal((await get(`${url}/api/v1/messages/x`)).status, 503)
    assert.equal((await get(`${url}/health`)).status, 200)
    // It serves; what runs elsewhere may be away without it.
    assert.equal((await get(`${url}/ready`)).status, 200)
  })

  it('goes to the next address when one cannot be reached', async () => {
    await using pipeline = await testPlatform({ only: 'pipeline' })
    const env = {
      INGEST_URL: `${nobody},${pipeline.at('ingest')}`,
      PROCESSOR_URL: `${nobody},${pipeline.at('processor')}`,
    }
    await using gateway = await testPlatform({ only: 'gateway', env })
    for (let sent = 0; sent < 4; sent += 1) {
      assert.equal((await post(`${gateway.at('gateway')}/api/v1/ingest`, { data: String(sent) })).status, 200)
    }
    const { ingest } = (await get(`${gateway.at('gateway')}/api/v1/status`)).body as Record<
      string,
      Record<string, unknown>
    >
    assert.equal(ingest?.['healthy'], false)
    assert.deepEqual(ingest?.['stats'], { TotalReceived: 4, TotalSent: 4, TotalFailed: 0 })
  })
})

describe('a gateway whose modules all run elsewhere', { timeout: 240_000 }, () => {
  it('serves every path that a process with everything serves', async () => {
    await using whole = await testPlatform()
    const { body } = await get(`${whole.at('gateway')}/openapi.json`)
    const nowhere = { AUTH_URL: nobody, CALCULATOR_URL: nobody, ORDERS_URL: nobody, PAYMENTS_URL: nobody }
    const pipeline = { INGEST_URL: nobody, PROCESSOR_URL: nobody }
    await using gateway = await testPlatform({
      only: 'gateway',
      env: { ...nowhere, ...pipeline, ORDER_LOOKUP_URL: nobody, ORDER_INTAKE_URL: nobody },
    })
    for (const [path, operations] of Object.entries(body['paths'] as Record<string, object>)) {
      for (const method of Object.keys(operations)) {
        const url = `${gateway.at('gateway')}${path.replaceAll(/\{\w+\}/g, 'x')}`
        const { status } = await fetch(url, { method: method.toUpperCase() })
        assert.ok(status !== 404 && status !== 405, `${method} ${path} was answered ${status}`)
      }
    }
    // Pages are in no description. The console's port serves them, and what they ask for, too.
    const shown = ['/', '/order-lookup/', '/order-lookup/page.js', '/api/v1/orders', '/order/x']
    for (const url of shown.flatMap((path) => ['gateway', 'console'].map((port) => gateway.at(port) + path))) {
      assert.equal((await fetch(url)).status, 503, url)
    }
  })
})

describe('ingest with the queue in another process’s memory', { timeout: 240_000 }, () => {
  it('refuses while that process is away, with nothing accepted and its key free', async () => {
    await using database = await testDatabase()
    const env = { DATABASE_URL: database.url, QUEUE_TYPE: 'memory', PROCESSOR_URL: nobody }
    const headers = { 'idempotency-key': 'k' }
    await using away = await testPlatform({ only: 'pipeline:ingest', env })
    const refused = await post(`${away.at('ingest')}/ingest`, { data: 'x' }, headers)
    assert.deepEqual([refused.status, refused.body['code']], [503, 'queue_unavailable'])
    const unready = await get(`${away.at('ingest')}/ready`)
    assert.deepEqual([unready.status, unready.body['broker']], [503, 'the processor cannot be reached'])

    await using processor = await testPlatform({ only: 'pipeline:processor', env })
    const back = { ...env, PROCESSOR_URL: processor.at('processor') }
    await using ingest = await testPlatform({ only: 'pipeline:ingest', env: back })
    assert.equal((await post(`${ingest.at('ingest')}/ingest`, { data: 'y' }, headers)).status, 200)
    const ready = await get(`${ingest.at('ingest')}/ready`)
    assert.deepEqual([ready.status, ready.body['broker']], [200, 'ok'])
  })

  it('says that the queue is full when that process says so', async () => {
    await using database = await testDatabase()
    const slow = new URL('fixtures/processors.ts', import.meta.url).pathname
    const env = {
      DATABASE_URL: database.url,
      QUEUE_TYPE: 'memory',
      QUEUE_SIZE: '3',
      PROCESSOR_FUNCTION: slow,
      PROCESSOR_WORKERS: '1',
    }
    await using processor = await testPlatform({ only: 'pipeline:processor', env })
    await using ingest = await testPlatform({
      only: 'pipeline:ingest',
      env: { ...env, PROCESSOR_URL: processor.at('processor') },
    })
    let full = 0
    await untilTrue('a request is refused', async () => {
      const { status, body } = await post(`${ingest.at('ingest')}/ingest`, { source: 's', data: 'slow 100' })
      if (status === 200) return false
      assert.deepEqual([status, body['code']], [503, 'queue_full'])
      full += 1
      return true
    })
    assert.equal(full, 1)
    const { queue } = (await get(`${processor.at('processor')}/stats`)).body as {
      queue: { size: number; capacity: number }
    }
    assert.equal(queue.capacity, 3)
    assert.ok(queue.size <= 3, `the queue holds ${queue.size}`)
  })

  it('is one process: a second processor does not start, and says why', async () => {
    await using database = await testDatabase()
    const env = { DATABASE_URL: database.url, QUEUE_TYPE: 'memory' }
    await using _first = await testPlatform({ only: 'pipeline:processor', env })
    await assert.rejects(testPlatform({ only: 'pipeline:processor', env }), /QUEUE_TYPE=memory: another processor/)
  })
})
