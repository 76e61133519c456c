import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sleep } from '@headrace/runtime'
import { type Database, databaseMigrations, migrate, openDatabase } from '../src/index.ts'
import { testServer, untilTrue } from '../src/testing/index.ts'
import { behindProxy, strikeOnce, type Told, write } from './support/lost-commit.ts'
import { noteTable } from './support/migrated.ts'
import { startProxy } from './support/proxy.ts'

describe('settling while the server restarts', () => {
  it('answers correctly once the server is back, after a stop and after a crash', async () => {
    await using server = await testServer()
    await using direct = openDatabase({ url: server.url })
    await migrate(direct, [databaseMigrations])
    const notes = await noteTable(direct)
    await using proxy = await startProxy(server.url)
    await using database = openDatabase({ url: proxy.url })
    for (const end of ['stop', 'kill'] as const) {
      for (const [fate, outcome] of [
        ['cut', 'DATABASE_UNAVAILABLE'],
        ['cut-answer', 'committed'],
      ] as const) {
        strikeOnce(proxy, 'commit', fate, () => {
          proxy.open = false
        })
        const writing = write(database, `${end} ${fate}`)
        await untilTrue('COMMIT was struck', () => !proxy.open)
        await untilTrue('the transaction has ended at the server', () => noTransaction(direct))
        await server[end]()
        await server.restart()
        proxy.open = true
        assert.equal(await writing, outcome)
      }
    }
    assert.deepEqual(await notes.all(), ['stop cut-answer', 'kill cut-answer'])
  })

  it('answers correctly for transactions that meet the crash in the middle', async () => {
    await using server = await testServer()
    await using database = openDatabase({ url: server.url, settleTimeoutMs: 60_000 })
    await migrate(database, [databaseMigrations])
    const notes = await noteTable(database)
    const outcomes = new Map<string, Told>()
    const committed = () => [...outcomes].filter(([, outcome]) => outcome === 'committed').map(([text]) => text)
    const stopping = new AbortController()
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; !stopping.signal.aborted; n += 1) {
        const text = `${writer}/${n}`
        const outcome = await write(database, text)
        outcomes.set(text, outcome)
        if (outcome !== 'committed') await sleep(5)
      }
    })
    for (const end of ['kill', 'stop'] as const) {
      const before = committed().length
      await untilTrue('50 more transactions', () => committed().length > before + 50, 30_000)
      await server[end]()
      await server.restart()
    }
    stopping.abort()
    await Promise.all(writers)
    const written = await notes.all()
    assert.equal(new Set(written).size, written.length)
    assert.deepEqual(written.sort(), committed().sort())
    assert.equal([...outcomes.values()].includes('COMMIT_UNKNOWN'), false)
  })

  it('is COMMIT_UNKNOWN when the database stays away', async () => {
    await using test = await behindProxy()
    await using database = openDatabase({ url: test.proxy.url, settleTimeoutMs: 300 })
    strikeOnce(test.proxy, 'commit', 'cut-answer', () => {
      test.proxy.open = false
    })
    assert.equal(await write(database, 'unknown'), 'COMMIT_UNKNOWN')
    assert.deepEqual(await test.notes.all(), ['unknown'])
  })
})

async function noTransaction(database: Database): Promise<boolean> {
  const { rows } = await database.query<{ none: boolean }>({
    text: `select not exists (select from pg_stat_activity where datname = current_database()
             and pid <> pg_backend_pid() and xact_start is not null) as none`,
  })
  return rows[0]?.none === true
}
