import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode, sleep } from '@headrace/runtime'
import pg from 'pg'
import {
  type Collector,
  type Database,
  databaseMigrations,
  migrate,
  openDatabase,
  sweepMarkers,
} from '../src/index.ts'
import { testServer, untilTrue } from '../src/testing/index.ts'
import { migratedDatabase, note, noteTable } from './support/migrated.ts'
import { type Fate, type Proxy, startProxy } from './support/proxy.ts'

type Outcome = 'committed' | 'DATABASE_UNAVAILABLE' | 'COMMIT_UNKNOWN'

/** Writes a note in a transaction of its own and says what its caller was told. */
async function write(database: Database, text: string, settle = true): Promise<Outcome> {
  try {
    await database.inTransaction((tx) => void tx.query(note(text)), { settle })
    return 'committed'
  } catch (error) {
    if (hasCode(error, 'DATABASE_UNAVAILABLE')) return 'DATABASE_UNAVAILABLE'
    if (hasCode(error, 'COMMIT_UNKNOWN')) return 'COMMIT_UNKNOWN'
    throw error
  }
}

/** Applies the fate to the next statement of this name or text, and to no other. */
function strikeOnce(proxy: Proxy, statement: string, fate: Fate, then: () => void = () => {}): void {
  proxy.fate = (seen) => {
    if (seen !== statement) return 'pass'
    proxy.fate = () => 'pass'
    then()
    return fate
  }
}

/** Written together with COMMIT, after the marker: waits for an advisory lock. */
const waitForLock: Collector<number> = {
  name: 'wait',
  rank: 10,
  statement: ([key]) => ({ text: 'select pg_advisory_xact_lock($1)', values: [key] }),
}

async function behindProxy(maxConnections = 4) {
  const test = await migratedDatabase()
  const notes = await noteTable(test.database)
  const proxy = await startProxy(test.url)
  const database = openDatabase({ url: proxy.url, maxConnections })
  return {
    direct: test.database,
    notes,
    proxy,
    database,
    async [Symbol.asyncDispose]() {
      await database.stop()
      await proxy[Symbol.asyncDispose]()
      await test[Symbol.asyncDispose]()
    },
  }
}

/** Makes the marker of transactions (not of settling) what design.md warns of. */
function forgivingMarker(text: string): string {
  return text.replace(/into headrace\.commit_marker \(id\) values \(\$\d+\)/, '$& on conflict do nothing')
}

describe('a transaction whose connection is cut at COMMIT', () => {
  it('is told as not committed when COMMIT never arrived', async () => {
    await using test = await behindProxy()
    strikeOnce(test.proxy, 'commit', 'cut')
    assert.equal(await write(test.database, 'lost'), 'DATABASE_UNAVAILABLE')
    assert.deepEqual(await test.notes.all(), [])
  })

  it('is told as committed when only the answer was lost', async () => {
    await using test = await behindProxy()
    for (const fate of ['cut-answer', 'cut-client'] as const) {
      strikeOnce(test.proxy, 'commit', fate)
      assert.equal(await write(test.database, fate), 'committed')
    }
    assert.deepEqual(await test.notes.all(), ['cut-answer', 'cut-client'])
  })

  it('is told as not committed when it is cut in the flight before COMMIT', async () => {
    await using test = await behindProxy()
    for (const statement of ['marker.insert', 'note.insert']) {
      strikeOnce(test.proxy, statement, 'cut')
      assert.equal(await write(test.database, statement), 'DATABASE_UNAVAILABLE')
    }
    assert.deepEqual(await test.notes.all(), [])
  })

  it('runs its hooks when it turns out to be committed, without the rows, and not otherwise', async () => {
    await using test = await behindProxy()
    const told: unknown[] = []
    const collector: Collector<string> = {
      name: 'told',
      rank: 10,
      statement: () => ({ name: 'told', text: 'select 1 as one' }),
      committed: (_, rows) => told.push(rows),
    }
    // What is only collected is a transaction of one statement, without COMMIT.
    for (const [statement, begin] of [['commit', true], ['told.marked', false]] as const) {
      for (const fate of ['cut-answer', 'cut'] as const) {
        strikeOnce(test.proxy, statement, fate)
        await test.database
          .inTransaction(
            async (tx) => {
              if (begin) await tx.query({ text: 'select 1' })
              tx.collect(collector, fate)
            },
            { settle: true },
          )
          .catch(() => undefined)
      }
    }
    assert.deepEqual(told, [undefined, undefined])
  })

  it('is COMMIT_UNKNOWN without a marker, committed or not', async () => {
    await using test = await behindProxy()
    for (const fate of ['cut', 'cut-answer'] as const) {
      strikeOnce(test.proxy, 'commit', fate)
      assert.equal(await write(test.database, fate, false), 'COMMIT_UNKNOWN')
    }
    assert.deepEqual(await test.notes.all(), ['cut-answer'])
  })

  it('is settled although the answer to settling is lost as well', async () => {
    await using test = await behindProxy()
    for (const [fate, outcome] of [
      ['cut', 'DATABASE_UNAVAILABLE'],
      ['cut-answer', 'committed'],
    ] as const) {
      for (const second of ['cut', 'cut-answer'] as const) {
        strikeOnce(test.proxy, 'commit', fate, () => {
          // The marker of the transaction itself came before its COMMIT, so the next one settles.
          queueMicrotask(() => strikeOnce(test.proxy, 'marker.settle', second))
        })
        assert.equal(await write(test.database, `${fate} ${second}`), outcome)
      }
    }
    assert.deepEqual(await test.notes.all(), ['cut-answer cut', 'cut-answer cut-answer'])
  })
})

describe('a straggler, whose backend is still at work when its outcome is settled', () => {
  it('is waited for, and told as committed', async () => {
    await using test = await behindProxy()
    const holder = new pg.Client({ connectionString: test.direct.url })
    await holder.connect()
    await holder.query('select pg_advisory_lock(7)')
    strikeOnce(test.proxy, 'commit', 'cut-client')
    let told: string | undefined
    const writing = test.database
      .inTransaction(
        (tx) => {
          void tx.query(note('straggler'))
          tx.collect(waitForLock, 7)
        },
        { settle: true },
      )
      .then(
        () => (told = 'committed'),
        () => (told = 'not committed'),
      )
    await untilTrue('settling waits for the old backend', () => waitsForTransaction(test.direct))
    assert.equal(told, undefined)
    await holder.end()
    await writing
    assert.equal(told, 'committed')
    assert.deepEqual(await test.notes.all(), ['straggler'])
  })

  it('never commits once it was told as not committed', async () => {
    await using test = await behindProxy()
    await lateFlight(test)
    assert.deepEqual(await test.notes.all(), [])
  })

  it('would commit all the same if the marker forgave conflicts', async () => {
    await using test = await behindProxy()
    test.proxy.rewrite = forgivingMarker
    await lateFlight(test)
    assert.deepEqual(await test.notes.all(), ['late'])
  })
})

/** The last flight of a transaction arrives only after its caller was told that it is not committed. */
async function lateFlight(test: Awaited<ReturnType<typeof behindProxy>>): Promise<void> {
  strikeOnce(test.proxy, 'marker.insert', 'hold')
  // The caller's function returns later, so that the note is written before the connection is held up.
  const outcome = await test.database
    .inTransaction(async (tx) => void (await tx.query(note('late'))), { settle: true })
    .then(() => 'committed', (error) => (hasCode(error, 'DATABASE_UNAVAILABLE') ? 'not committed' : String(error)))
  assert.equal(outcome, 'not committed')
  await test.proxy.letGo()
}

async function allIdle(database: Database): Promise<boolean> {
  const { rows } = await database.query<{ busy: boolean }>({
    text: `select exists (select from pg_stat_activity where datname = current_database()
             and pid <> pg_backend_pid() and state not in ('idle')) as busy`,
  })
  return rows[0]?.busy === false
}

async function waitsForTransaction(database: Database): Promise<boolean> {
  const { rows } = await database.query<{ waits: boolean }>({
    text: `select exists (select from pg_stat_activity where datname = current_database()
             and wait_event = 'transactionid' and query like '%commit_marker%') as waits`,
  })
  return rows[0]?.waits === true
}

/** Writes notes by a function, once nobody else holds the advisory lock 8; its statement can be the whole transaction. */
const noteFunction = `create function write_notes(notes text[]) returns int language plpgsql as $$
  begin
    perform pg_advisory_xact_lock_shared(8);
    insert into note (text) select unnest(notes);
    return cardinality(notes);
  end $$`

const notesTogether: Collector<string> = {
  name: 'notes',
  rank: 10,
  statement: (notes) => ({ name: 'notes.write', text: 'select write_notes($1) as count', values: [notes] }),
}

async function writeAsOne(database: Database, text: string, settle = true): Promise<Outcome> {
  try {
    await database.inTransaction((tx) => tx.collect(notesTogether, text), { settle })
    return 'committed'
  } catch (error) {
    if (hasCode(error, 'DATABASE_UNAVAILABLE')) return 'DATABASE_UNAVAILABLE'
    if (hasCode(error, 'COMMIT_UNKNOWN')) return 'COMMIT_UNKNOWN'
    throw error
  }
}

describe('a transaction that is one statement', () => {
  it('is told as committed when only the answer was lost, and else not', async () => {
    await using test = await behindProxy()
    await test.direct.query({ text: noteFunction })
    for (const [fate, outcome] of [
      ['pass', 'committed'],
      ['cut', 'DATABASE_UNAVAILABLE'],
      ['cut-answer', 'committed'],
      ['cut-client', 'committed'],
    ] as const) {
      strikeOnce(test.proxy, 'notes.write.marked', fate)
      assert.equal(await writeAsOne(test.database, fate), outcome)
    }
    assert.deepEqual(await test.notes.all(), ['pass', 'cut-answer', 'cut-client'])
  })

  it('is COMMIT_UNKNOWN without a marker, committed or not', async () => {
    await using test = await behindProxy()
    await test.direct.query({ text: noteFunction })
    for (const fate of ['cut', 'cut-answer'] as const) {
      strikeOnce(test.proxy, 'notes.write', fate)
      assert.equal(await writeAsOne(test.database, fate, false), 'COMMIT_UNKNOWN')
    }
    assert.deepEqual(await test.notes.all(), ['cut-answer'])
  })

  it('fails with its own error, and leaves no marker', async () => {
    await using test = await behindProxy()
    await assert.rejects(writeAsOne(test.database, 'no such function'), { code: '42883' })
    const { rowCount } = await test.direct.query({ text: 'select from headrace.commit_marker' })
    assert.equal(rowCount, 0)
  })

  for (const { mutant, rewrite, notes } of [
    { mutant: false, rewrite: (text: string) => text, notes: [] },
    { mutant: true, rewrite: forgivingMarker, notes: ['late'] },
  ]) {
    const promise = mutant ? 'would commit all the same if the marker forgave conflicts' : 'never commits once it was told as not committed'
    it(promise, async () => {
      await using test = await behindProxy()
      await test.direct.query({ text: noteFunction })
      test.proxy.rewrite = rewrite
      strikeOnce(test.proxy, 'notes.write.marked', 'hold')
      assert.equal(await writeAsOne(test.database, 'late'), 'DATABASE_UNAVAILABLE')
      await test.proxy.letGo()
      assert.deepEqual(await test.notes.all(), notes)
    })
  }

  it('that waits for a lock while it is settled is told as it ends', async () => {
    await using test = await behindProxy()
    await test.direct.query({ text: noteFunction })
    const holder = new pg.Client({ connectionString: test.direct.url })
    await holder.connect()
    await holder.query('select pg_advisory_lock(8)')
    strikeOnce(test.proxy, 'notes.write.marked', 'cut-client')
    const writing = writeAsOne(test.database, 'straggler')
    // The outcome may be settled before the lock is free or after: what is told must then be so.
    await Promise.race([writing, untilTrue('settling waits', () => waitsForTransaction(test.direct)).catch(() => undefined)])
    await holder.end()
    const outcome = await writing
    await untilTrue('the old backend has ended its transaction', () => allIdle(test.direct))
    assert.deepEqual(await test.notes.all(), outcome === 'committed' ? ['straggler'] : [])
  })
})

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
        let away: Promise<void> | undefined
        strikeOnce(proxy, 'commit', fate, () => {
          proxy.open = false
        })
        const writing = write(database, `${end} ${fate}`)
        await untilTrue('COMMIT was struck', () => !proxy.open)
        await untilTrue('the transaction has ended at the server', () => noTransaction(direct))
        away = server[end]()
        await away
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
    const told = new Map<string, Outcome>()
    const committed = () => [...told].filter(([, outcome]) => outcome === 'committed').map(([text]) => text)
    const stopping = new AbortController()
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; !stopping.signal.aborted; n += 1) {
        const text = `${writer}/${n}`
        const outcome = await write(database, text)
        told.set(text, outcome)
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
    assert.equal([...told.values()].includes('COMMIT_UNKNOWN'), false)
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

describe('sweepMarkers', () => {
  it('deletes markers older than an hour and no younger one', async () => {
    await using test = await migratedDatabase()
    await test.database.query({
      text: `insert into headrace.commit_marker (id, at) select gen_random_uuid(), now() - age from
               unnest(array[interval '61 minutes', interval '2 days', interval '59 minutes', interval '0']) as age`,
    })
    assert.equal(await sweepMarkers(test.database), 2)
    assert.equal(await sweepMarkers(test.database), 0)
    const { rowCount } = await test.database.query({ text: 'select from headrace.commit_marker' })
    assert.equal(rowCount, 2)
  })
})
