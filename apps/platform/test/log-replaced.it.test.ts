import assert from 'node:assert/strict'
import { it } from 'node:test'
import { openDatabase } from '@headrace/database'
import { testDatabase } from '@headrace/database/testing'
import { testPlatform } from './support/platform.ts'

/** Breaks the connections of everybody else, as a failover does. */
const cutText = `select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid()`

it('a process whose database has become another copy ends with LOG_REPLACED', { timeout: 60_000 }, async () => {
  await using owner = await testDatabase()
  await using running = await testPlatform({ env: { DATABASE_URL: owner.url } })
  await using database = openDatabase({ url: owner.url, maxConnections: 1 })
  await database.query({ text: `update headrace.log_incarnation set cluster = 'another/' || cluster` })
  await database.query({ text: cutText })
  assert.equal((await running.platform.failed).code, 'LOG_REPLACED')
})

it('a process that has only lost its connections goes on', { timeout: 60_000 }, async () => {
  await using owner = await testDatabase()
  await using running = await testPlatform({ env: { DATABASE_URL: owner.url } })
  await using database = openDatabase({ url: owner.url, maxConnections: 1 })
  await database.query({ text: cutText })
  const later = new Promise((resolve) => setTimeout(resolve, 100, 'still running'))
  assert.equal(await Promise.race([running.platform.failed, later]), 'still running')
})
