import assert from 'node:assert/strict'
import { it } from 'node:test'
import { openDatabase } from '@headrace/database'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { post, testPlatform } from './support/platform.ts'

/** Breaks the connections of everybody else, as a failover does; answers when they are gone. */
const cutText = `select pg_terminate_backend(pid, 20000) from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid()`

/** Counts the connections that listen, each with the lock by which its process is known to live. */
const listeningText = `select count(*)::int as found from pg_locks
  where locktype = 'advisory' and objsubid = 2 and classid = x'6872736c'::int::oid
    and database = (select oid from pg_database where datname = current_database())`

it('a process whose database has become another copy ends with LOG_REPLACED', { timeout: 240_000 }, async () => {
  await using owner = await testDatabase()
  await using running = await testPlatform({ env: { DATABASE_URL: owner.url } })
  await using database = openDatabase({ url: owner.url, maxConnections: 1 })
  await database.query({ text: `update headrace.log_incarnation set cluster = 'another/' || cluster` })
  await database.query({ text: cutText })
  assert.equal((await running.platform.failed).code, 'LOG_REPLACED')
})

it('a process that has only lost its connections goes on', { timeout: 240_000 }, async () => {
  await using owner = await testDatabase()
  await using running = await testPlatform({ env: { DATABASE_URL: owner.url } })
  await using database = openDatabase({ url: owner.url, maxConnections: 1 })
  let ended = false
  void running.platform.failed.then(() => (ended = true))
  for (let cut = 1; cut <= 3; cut += 1) {
    await database.query({ text: cutText })
    await untilTrue(
      'it listens again, and has looked which copy it is on',
      async () => (await database.query<{ found: number }>({ text: listeningText })).rows[0]?.found === 1,
      20_000,
    )
    const answer = await post(`${running.at('ingest')}/ingest`, { source: 's', data: 'd' })
    assert.equal(answer.status, 200)
  }
  assert.equal(ended, false)
})
