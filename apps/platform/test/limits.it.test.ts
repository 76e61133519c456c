import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { get, post, testPlatform } from './support/platform.ts'

describe('a backlog at its limit', { timeout: 240_000 }, () => {
  it('refuses with queue_full, accepts nothing of it, and accepts again once there is room', async () => {
    await using database = await testDatabase()
    const env = { DATABASE_URL: database.url, QUEUE_MAX_BACKLOG: '5' }
    await using ingest = await testPlatform({ only: 'pipeline:ingest', env })
    const url = `${ingest.at('ingest')}/ingest`
    const ids: unknown[] = []
    const key = (sent: number) => ({ 'idempotency-key': `key-${sent}` })
    for (let sent = 0; sent < 5; sent += 1) {
      // A count beside an acceptance may have it twice for a moment, and leave no room for the last.
      await untilTrue(`message ${sent} is accepted`, async () => {
        const { status, body } = await post(url, { data: String(sent) }, key(sent))
        if (status === 200) ids.push(body['messageId'])
        return status === 200
      })
    }
    // What was accepted is not refused when it is repeated.
    const again = await post(url, { data: '4' }, key(4))
    assert.deepEqual([again.status, again.body['messageId']], [200, ids[4]])
    assert.equal((await post(url, { data: 'new' }, key(5))).body['code'], 'queue_full')
    const refused = await post(url, { data: 'one too many' })
    assert.deepEqual([refused.status, refused.body['code']], [503, 'queue_full'])
    assert.match(String(refused.body['detail']), /5 messages/)
    assert.ok(Number(refused.headers.get('retry-after')) >= 1)
    {
      await using restarted = await testPlatform({ only: 'pipeline:ingest', env })
      const first = await post(`${restarted.at('ingest')}/ingest`, { data: 'after a restart' })
      assert.deepEqual([first.status, first.body['code']], [503, 'queue_full'])
    }

    await using processor = await testPlatform({ only: 'pipeline:processor', env })
    await untilTrue('ingest accepts again', async () => (await post(url, { data: 'again' })).status === 200)
    for (const id of ids) {
      await untilTrue(`message ${id} is processed`, async () => {
        return (await get(`${processor.at('processor')}/api/v1/messages/${id}`)).body['status'] === 'processed'
      })
    }
    const { pool, queue } = (await get(`${processor.at('processor')}/stats`)).body as Record<
      string,
      Record<string, number>
    >
    assert.equal(queue?.['capacity'], 5)
    assert.ok(Number(pool?.['processed']) <= 6, 'a refused message was processed')
  })

  it('does not refuse what a processor in the same process keeps up with', async () => {
    await using running = await testPlatform({ env: { QUEUE_MAX_BACKLOG: '50' } })
    for (let sent = 0; sent < 200; sent += 1) {
      const { status, body } = await post(`${running.at('ingest')}/ingest`, { source: `s${sent}`, data: 'x' })
      assert.equal(status, 200, JSON.stringify(body))
      if (sent % 20 === 19) {
        await untilTrue('the queue is empty', async () => {
          const { queue } = (await get(`${running.at('processor')}/stats`)).body as { queue: { size: number } }
          return queue.size === 0
        })
      }
    }
  })
})

describe('requests in flight', { timeout: 240_000 }, () => {
  it('beyond the limit are refused before their bodies are read', async () => {
    await using running = await testPlatform({ env: { INGEST_MAX_IN_FLIGHT: '1' } })
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => post(`${running.at('ingest')}/ingest`, { data: 'x' })),
    )
    const statuses = new Set(answers.map(({ status }) => status))
    assert.ok(statuses.has(200) && statuses.has(503), [...statuses].join())
    for (const { status, body } of answers) if (status === 503) assert.equal(body['code'], 'queue_full')
    const accepted = answers.filter(({ status }) => status === 200).length
    const { TotalReceived, TotalSent } = (await get(`${running.at('ingest')}/stats`)).body
    assert.deepEqual([TotalSent, TotalReceived], [accepted, 30])
  })
})
