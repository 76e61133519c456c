import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openDatabase, startWakeUps } from '@headrace/database'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { openLog } from '@headrace/log'
import { get, post, testPlatform } from './support/platform.ts'

describe('what stands in the log', { timeout: 240_000 }, () => {
  for (const queueType of ['postgres', 'memory'] as const) {
    it(`before a start with ${queueType} is processed after it`, async () => {
      await using database = await testDatabase()
      const env = { DATABASE_URL: database.url }
      const ids: unknown[] = []
      {
        await using ingest = await testPlatform({ only: 'pipeline:ingest', env })
        for (let sent = 0; sent < 20; sent += 1) {
          ids.push(
            (await post(`${ingest.at('ingest')}/ingest`, { source: `s${sent % 3}`, data: 'x' })).body['messageId'],
          )
        }
      }
      await using running = await testPlatform({ env: { ...env, QUEUE_TYPE: queueType } })
      for (const id of ids) {
        await untilTrue(`${id} is processed`, async () => {
          return (await get(`${running.at('gateway')}/api/v1/messages/${id}`)).body['status'] === 'processed'
        })
      }
      const { queue } = (await get(`${running.at('processor')}/stats`)).body as { queue: { size: number } }
      assert.equal(queue.size, 0)
    })
  }

  it('and can never be read is parked with the reason, and what is behind it goes on', async () => {
    await using running = await testPlatform()
    const url = running.at('gateway')
    await using stack = new AsyncDisposableStack()
    const connection = { url: running.databaseUrl, maxConnections: 2 }
    const database = stack.use(openDatabase(connection))
    const wakeUps = stack.use(startWakeUps(connection))
    const onError = (error: unknown) => assert.fail(String(error))
    const log = stack.use(await openLog({ database, wakeUps, onError }))
    const message = { topic: 'diplom-messages', key: 'k', type: 'foreign', headers: {} }
    await log.inTransaction((tx) => {
      for (const [id, body] of [
        ['good-1', '{}'],
        ['broken', '<xml/>'],
        ['good-2', '{}'],
      ] as const) {
        tx.append({ ...message, id, body: Buffer.from(body) })
      }
    })
    for (const [id, status] of [
      ['good-1', 'processed'],
      ['broken', 'parked'],
      ['good-2', 'processed'],
    ] as const) {
      await untilTrue(
        `${id} is ${status}`,
        async () => (await get(`${url}/api/v1/messages/${id}`)).body['status'] === status,
      )
    }
    const { error, attempts } = (await get(`${url}/api/v1/messages/broken`)).body
    assert.match(String(error), /the body is not JSON/)
    assert.equal(attempts, 1)
    const { pool } = (await get(`${running.at('processor')}/stats`)).body as { pool: { errors: number } }
    assert.equal(pool.errors, 1)
  })
})
