import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import pg from 'pg'
import type { Collector, Database } from '../src/index.ts'
import { untilTrue } from '../src/testing/index.ts'
import {
  allIdle,
  behindProxy,
  forgivingMarker,
  strikeOnce,
  type Told,
  told,
  waitsForTransaction,
} from './support/lost-commit.ts'

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

function writeAsOne(database: Database, text: string, settle = true): Promise<Told> {
  return told(database.inTransaction((tx) => tx.collect(notesTogether, text), { settle }))
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
    const promise = mutant
      ? 'would commit all the same if the marker forgave conflicts'
      : 'never commits once it was told as not committed'
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
    await Promise.race([
      writing,
      untilTrue('settling waits', () => waitsForTransaction(test.direct)).catch(() => undefined),
    ])
    await holder.end()
    const outcome = await writing
    await untilTrue('the old backend has ended its transaction', () => allIdle(test.direct))
    assert.deepEqual(await test.notes.all(), outcome === 'committed' ? ['straggler'] : [])
  })
})
