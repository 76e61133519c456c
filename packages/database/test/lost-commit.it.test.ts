import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode } from '@headrace/runtime'
import pg from 'pg'
import { type Collector, sweepMarkers } from '../src/index.ts'
import { untilTrue } from '../src/testing/index.ts'
import {
  behindProxy,
  forgivingMarker,
  strikeOnce,
  waitsForAdvisoryLock,
  waitsForTransaction,
  write,
} from './support/lost-commit.ts'
import { migratedDatabase, note } from './support/migrated.ts'

/** Written together with COMMIT, after the marker: waits for an advisory lock. */
const waitForLock: Collector<number> = {
  name: 'wait',
  rank: 10,
  statement: ([key]) => ({ text: 'select pg_advisory_xact_lock($1)', values: [key] }),
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
    for (const [statement, begin] of [
      ['commit', true],
      ['told.marked', false],
    ] as const) {
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
    // Nobody settles before the old backend has come to its lock: who is faster has decided.
    strikeOnce(test.proxy, 'commit', 'cut-client', () => {
      test.proxy.open = false
    })
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
    await untilTrue('the old backend waits for its lock', () => waitsForAdvisoryLock(test.direct))
    test.proxy.open = true
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
    .then(
      () => 'committed',
      (error) => (hasCode(error, 'DATABASE_UNAVAILABLE') ? 'not committed' : String(error)),
    )
  assert.equal(outcome, 'not committed')
  await test.proxy.letGo()
}

describe('sweepMarkers', () => {
  it('deletes markers older than an hour and no younger one', async () => {
    await using test = await migratedDatabase()
    await test.database.query({
      text: `insert into headrace.commit_marker (id, at) select gen_random_uuid(), now() - age from
               unnest(array[interval '61 minutes', interval '2 days', interval '59 minutes', interval '0']) as age`,
    })
    for (const count of [1, 1, 0]) assert.equal(await sweepMarkers(test.database, 1), count)
    const { rowCount } = await test.database.query({ text: 'select from headrace.commit_marker' })
    assert.equal(rowCount, 2)
  })
})
