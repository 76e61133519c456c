import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode } from '@headrace/runtime'
import pg from 'pg'
import {
  type Database,
  databaseMigrations,
  type Gather,
  type GatherOptions,
  gather,
  migrate,
  openDatabase,
} from '../src/index.ts'
import { testServer, untilTrue } from '../src/testing/index.ts'
import { runFixture } from './support/child.ts'
import { type MigratedDatabase, migratedDatabase } from './support/migrated.ts'

/** Notes with the number of their transaction; none may be negative. */
async function notesOf(database: Database, options: Partial<GatherOptions<number>> = {}) {
  await database.query({
    text: `create table note (seq int generated always as identity, n int not null check (n >= 0),
             transaction text not null default pg_current_xact_id()::text)`,
  })
  const write: GatherOptions<number>['write'] = (tx, items) => {
    void tx.query({ name: 'note.insert', text: 'insert into note (n) select unnest($1::int[])', values: [items] })
  }
  return gather<number>({ database, write, ...options })
}

/** The notes of each transaction, in their order. */
async function batches(database: Database): Promise<number[][]> {
  const { rows } = await database.query<{ notes: number[] }>({
    text: 'select array_agg(n order by seq) as notes from note group by transaction order by min(seq)',
  })
  return rows.map(({ notes }) => notes)
}

/** Keeps everybody from writing notes until it is called again. */
async function holdNotes({ url }: MigratedDatabase): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('begin; lock table note in exclusive mode')
  return () => client.end()
}

function submitAll(notes: Gather<number>, items: readonly number[]): Promise<PromiseSettledResult<void>[]> {
  return Promise.allSettled(items.map((item) => notes.submit(item)))
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n)

describe('a gather', () => {
  it('commits together what is submitted in one turn, in its order', async () => {
    await using test = await migratedDatabase()
    const notes = await notesOf(test.database)
    await submitAll(notes, range(0, 20))
    assert.deepEqual(await batches(test.database), [range(0, 20)])
  })

  it('commits at once what comes alone, and together what arrives while a commit is in flight', async () => {
    await using test = await migratedDatabase()
    const notes = await notesOf(test.database)
    const letGo = await holdNotes(test)
    const first = notes.submit(0)
    await new Promise(setImmediate)
    const later: Promise<unknown>[] = []
    for (const n of range(1, 8)) {
      later.push(notes.submit(n))
      await new Promise(setImmediate)
    }
    assert.equal(notes.pending, 8)
    await letGo()
    await Promise.all([first, ...later])
    assert.deepEqual(await batches(test.database), [[0], range(1, 8)])
    assert.equal(notes.pending, 0)
  })

  it('sends a second transaction on its way once as many wait as are under way', async () => {
    await using test = await migratedDatabase()
    const notes = await notesOf(test.database, {
      flights: 2,
      onStep: (step) => void (left += step === 'before' ? 1 : 0),
    })
    let left = 0
    const letGo = await holdNotes(test)
    const all: Promise<unknown>[] = []
    for (const [items, transactions] of [
      [range(0, 3), 1],
      [range(3, 5), 1],
      [range(5, 6), 2],
    ] as const) {
      all.push(submitAll(notes, items))
      await new Promise(setImmediate)
      assert.equal(left, transactions)
    }
    await letGo()
    await Promise.all(all)
    assert.deepEqual((await batches(test.database)).toSorted(), [range(0, 3), range(3, 6)])
  })

  it('bounds a transaction in items and in bytes', async () => {
    await using test = await migratedDatabase()
    const notes = await notesOf(test.database, { maxItems: 4, bytesOf: (n) => (n >= 10 ? 5 * 1024 * 1024 : 1) })
    await submitAll(notes, [...range(0, 6), 10, 11, 12])
    assert.deepEqual(await batches(test.database), [[0, 1, 2, 3], [4, 5, 10], [11], [12]])
  })

  it('lets an item that fails fail alone, and keeps the order of the others', async () => {
    await using test = await migratedDatabase()
    const notes = await notesOf(test.database)
    const outcomes = await submitAll(notes, [1, -1, 2, -2, 3])
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
    )
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.equal((outcome.reason as { code: string }).code, '23514')
    }
    assert.deepEqual(await batches(test.database), [[1], [2], [3]])
  })

  it('refuses what it has no room for, before anything is done with it', async () => {
    await using test = await migratedDatabase()
    const notes = await notesOf(test.database, { maxWaiting: 3 })
    const letGo = await holdNotes(test)
    const first = notes.submit(0)
    await new Promise(setImmediate)
    const waiting = submitAll(notes, range(1, 4))
    await assert.rejects(notes.submit(9), (error) => hasCode(error, 'QUEUE_FULL'))
    assert.equal(notes.pending, 4)
    await letGo()
    await Promise.all([first, waiting])
    await notes.submit(4)
    assert.deepEqual((await batches(test.database)).flat(), range(0, 5))
  })

  it('refuses what its memory has no room for', async () => {
    await using test = await migratedDatabase()
    const notes = await notesOf(test.database, { bytesOf: () => 50 * 1024 * 1024 })
    const outcomes = await submitAll(notes, [0, 1, 2])
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected'],
    )
    await notes.submit(3)
  })

  it('has settled all that was submitted when it is drained', async () => {
    await using test = await migratedDatabase()
    const notes = await notesOf(test.database, { maxItems: 2 })
    await notes.drain()
    let settled = 0
    for (const n of [0, 1, -1, 2, 3])
      void notes
        .submit(n)
        .catch(() => undefined)
        .finally(() => (settled += 1))
    await notes.drain()
    assert.equal(settled, 5)
    assert.equal(notes.pending, 0)
  })

  it('writes nothing twice when whoever is told of a commit fails', async () => {
    await using test = await migratedDatabase()
    const notes = await notesOf(test.database, {
      onStep: (step) => {
        if (step === 'after') throw new Error('told too late')
      },
    })
    await submitAll(notes, [1, 2, 3])
    assert.deepEqual((await batches(test.database)).flat(), [1, 2, 3])
  })

  it('is unavailable to all while the server is away, and goes on once it is back', async () => {
    await using server = await testServer()
    await using database = openDatabase({ url: server.url })
    await migrate(database, [databaseMigrations])
    const notes = await notesOf(database, { maxItems: 2 })
    await notes.submit(0)
    await server.kill()
    // Its backends may answer once more.
    const unavailable = (error: unknown) => hasCode(error, 'DATABASE_UNAVAILABLE')
    await untilTrue('the server is away', () => database.query({ text: 'select 1' }).then(() => false, unavailable))
    for (const outcome of await submitAll(notes, range(1, 6))) {
      assert(outcome.status === 'rejected' && unavailable(outcome.reason))
    }
    await server.restart()
    await submitAll(notes, range(6, 8))
    assert.deepEqual((await batches(database)).flat(), [0, 6, 7])
  })

  it('confirms no more and no less than is there when the server crashes in the middle', async () => {
    await using server = await testServer()
    await using database = openDatabase({ url: server.url, settleTimeoutMs: 60_000 })
    await migrate(database, [databaseMigrations])
    const notes = await notesOf(database, { maxItems: 50 })
    const confirmed: number[] = []
    let next = 0
    const callers = Array.from({ length: 30 }, async () => {
      for (let n = 0; n < 60; n += 1) {
        next += 1
        const item = next
        await notes.submit(item).then(
          () => confirmed.push(item),
          () => new Promise((resolve) => setTimeout(resolve, 20)),
        )
      }
    })
    await untilTrue('200 notes', () => confirmed.length > 200)
    await server.kill()
    await server.restart()
    await Promise.all(callers)
    const sorted = (numbers: number[]) => numbers.toSorted((a, b) => a - b)
    assert.deepEqual(sorted((await batches(database)).flat()), sorted(confirmed))
  })
})

describe('a process that is killed while it gathers', () => {
  for (const [point, extra] of [
    ['gather.before-commit', 'none'],
    ['gather.after-commit', 'at most one batch'],
  ] as const) {
    it(`at ${point} has written all that it confirmed, once, and of the rest ${extra}`, async () => {
      await using test = await migratedDatabase()
      await test.database.query({ text: 'create table note (text text not null)' })
      const ended = await runFixture('gather-notes.ts', [test.url], `${point}=kill@10`)
      assert.equal(ended.signal, 'SIGKILL', ended.errors)
      assert(ended.lines.length > 20)
      const { rows } = await test.database.query<{ text: string }>({ text: 'select text from note' })
      const written = rows.map(({ text }) => text)
      assert.equal(new Set(written).size, written.length)
      for (const line of ended.lines) assert(written.includes(line), `${line} was confirmed and is not there`)
      const unconfirmed = written.length - ended.lines.length
      if (point === 'gather.before-commit') assert.equal(unconfirmed, 0)
      else assert(unconfirmed > 0 && unconfirmed <= 20)
    })
  }
})
