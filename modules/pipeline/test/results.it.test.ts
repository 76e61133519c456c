import assert from 'node:assert/strict'
import { it } from 'node:test'
import { databaseMigrations, migrate, openDatabase } from '@headrace/database'
import { testDatabase } from '@headrace/database/testing'
import { pipelineMigrations } from '../src/module.ts'
import { findResult, insertResults, sweepResults } from '../src/store/results.ts'

it('a result is swept once the log holds nothing of its time any more', async () => {
  await using test = await testDatabase()
  await using database = openDatabase({ url: test.url, maxConnections: 1 })
  await migrate(database, [databaseMigrations, pipelineMigrations])
  const common = { acceptedAtMs: Date.now(), attempts: 1, result: Buffer.from('x'), owner: undefined }
  const heldSince = new Date('2026-03-01T10:00:00Z')
  for (const [messageId, processedAtMs] of [
    ['dropped', heldSince.getTime() - 1],
    ['held', heldSince.getTime()],
  ] as const) {
    await insertResults(database, [{ ...common, messageId }])
    const values = [messageId, new Date(processedAtMs)]
    await database.query({ text: 'update pipeline.result set processed_at = $2 where message_id = $1', values })
  }
  assert.equal(await sweepResults(database, heldSince, 10), 1)
  assert.equal(await findResult(database, 'dropped'), undefined)
  assert.notEqual(await findResult(database, 'held'), undefined)
})
