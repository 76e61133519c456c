import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode } from '@headrace/runtime'
import { type Collector, openDatabase } from '../src/index.ts'
import { migratedDatabase, note, noteTable } from './support/migrated.ts'
import { startProxy } from './support/proxy.ts'

function noteCollector(name: string, rank: number, told: string[] = []): Collector<string> {
  return {
    name,
    rank,
    statement: (items) => ({
      text: 'insert into note (text) select unnest($1::text[]) returning text',
      values: [items.map((item) => `${name} ${item}`)],
    }),
    committed: (items, rows) => told.push(`${name}: ${items.join(',')} ${rows?.length}`),
  }
}

describe('a transaction', () => {
  it('commits statements that nobody awaited', async () => {
    await using test = await migratedDatabase()
    const notes = await noteTable(test.database)
    await test.database.inTransaction((tx) => {
      void tx.query(note('one'))
      void tx.query(note('two'))
    })
    assert.deepEqual(await notes.all(), ['one', 'two'])
  })

  it('shares one flight between BEGIN and its first statements, and one between what is collected and COMMIT', async () => {
    await using test = await migratedDatabase()
    await noteTable(test.database)
    await using proxy = await startProxy(test.url)
    await using database = openDatabase({ url: proxy.url, maxConnections: 1 })
    await database.query({ text: 'select 1' })
    const seen: string[] = []
    proxy.fate = (statement) => {
      seen.push(statement)
      return 'pass'
    }
    let before = 0
    await database.inTransaction(async (tx) => {
      await Promise.all([tx.query(note('a')), tx.query(note('b'))])
      before = seen.length
      tx.collect(noteCollector('late', 10), 'c')
    })
    assert.equal(before, 3)
    assert.deepEqual(
      seen.map((text) => text.split(' ')[0]),
      ['begin', 'note.insert', 'note.insert', 'insert', 'commit'],
    )
  })

  it('rolls everything back when the function throws, and throws that', async () => {
    await using test = await migratedDatabase()
    const notes = await noteTable(test.database)
    const refused = new Error('refused')
    const told: string[] = []
    await assert.rejects(
      test.database.inTransaction(async (tx) => {
        await tx.query(note('never'))
        tx.collect(noteCollector('late', 10, told), 'never')
        tx.afterCommit(() => told.push('after'))
        throw refused
      }),
      refused,
    )
    assert.deepEqual(await notes.all(), [])
    assert.deepEqual(told, [])
    assert.equal(test.database.usage().idle, test.database.usage().total)
  })

  it('throws what its function threw, also when that looks like an error of a connection that is not its own', async () => {
    await using test = await migratedDatabase()
    for (const code of ['ENOENT', 'ECONNREFUSED']) {
      const own = Object.assign(new Error(`${code}: of a file or another service`), { code })
      await assert.rejects(
        test.database.inTransaction(() => Promise.reject(own)),
        (error) => error === own,
      )
    }
    assert.equal(test.database.usage().idle, 1)
  })

  it('rolls back and throws the first failure when the function swallowed it', async () => {
    await using test = await migratedDatabase()
    const notes = await noteTable(test.database)
    await assert.rejects(
      test.database.inTransaction(async (tx) => {
        await tx.query(note('before'))
        await tx.query({ text: 'select 1/0' }).catch(() => undefined)
        await tx.query(note('after')).catch(() => undefined)
        return 'done'
      }),
      { code: '22012' },
    )
    assert.deepEqual(await notes.all(), [])
  })

  it('throws the failure of a statement that nobody awaited, not the one that follows from it', async () => {
    await using test = await migratedDatabase()
    const notes = await noteTable(test.database)
    await assert.rejects(
      test.database.inTransaction(async (tx) => {
        void tx.query({ text: 'select 1/0' })
        await tx.query(note('follows'))
      }),
      { code: '22012' },
    )
    await assert.rejects(
      test.database.inTransaction((tx) => void tx.query({ text: 'select 1/0' })),
      { code: '22012' },
    )
    assert.deepEqual(await notes.all(), [])
  })

  it('commits after a failure that a savepoint undid', async () => {
    await using test = await migratedDatabase()
    const notes = await noteTable(test.database)
    await test.database.inTransaction(async (tx) => {
      await tx.query({ text: 'savepoint here' })
      await tx.query({ text: 'select 1/0' }).catch(() => undefined)
      await tx.query({ text: 'rollback to savepoint here' })
      await tx.query(note('kept'))
    })
    assert.deepEqual(await notes.all(), ['kept'])
  })

  it('rolls back when what is collected fails, and tells nobody', async () => {
    await using test = await migratedDatabase()
    const notes = await noteTable(test.database)
    const told: string[] = []
    const failing: Collector<string> = { ...noteCollector('x', 20, told), statement: () => ({ text: 'select 1/0' }) }
    await assert.rejects(
      test.database.inTransaction(async (tx) => {
        tx.collect(noteCollector('fine', 10, told), 'a')
        tx.collect(failing, 'b')
        tx.afterCommit(() => told.push('after'))
      }),
      { code: '22012' },
    )
    assert.deepEqual(await notes.all(), [])
    assert.deepEqual(told, [])
  })

  it('rolls back when a deferred constraint fails at COMMIT', async () => {
    await using test = await migratedDatabase()
    await test.database.query({ text: 'create table once (n int unique deferrable initially deferred)' })
    for (const settle of [false, true]) {
      await assert.rejects(
        test.database.inTransaction((tx) => void tx.query({ text: 'insert into once values (1), (1)' }), { settle }),
        { code: '23505' },
      )
    }
    const { rows } = await test.database.query({ text: 'select from once' })
    assert.equal(rows.length, 0)
  })

  it('writes what was collected in the order of ranks, each collector once, whatever the order of the calls', async () => {
    await using test = await migratedDatabase()
    const notes = await noteTable(test.database)
    const told: string[] = []
    const [heads, live] = [noteCollector('heads', 10, told), noteCollector('live', 20, told)]
    await test.database.inTransaction(async (tx) => {
      tx.collect(live, '1')
      tx.collect(heads, '2')
      tx.collect(live, '3')
      await tx.query(note('business'))
    })
    assert.deepEqual(await notes.all(), ['business', 'heads 2', 'live 1', 'live 3'])
    assert.deepEqual(told.sort(), ['heads: 2 1', 'live: 1,3 2'])
  })

  it('runs hooks only once the commit is there for others to see', async () => {
    await using test = await migratedDatabase()
    await noteTable(test.database)
    let seen: Promise<{ rowCount: number }> | undefined
    await test.database.inTransaction(async (tx) => {
      tx.afterCommit(() => (seen = test.database.query({ text: 'select from note' })))
      await tx.query(note('seen'))
      assert.equal(seen, undefined)
    })
    assert.equal((await seen)?.rowCount, 1)
  })

  it('is committed although a hook throws, and says so', async () => {
    await using test = await migratedDatabase()
    const notes = await noteTable(test.database)
    let second = false
    const value = await test.database.inTransaction((tx) => {
      tx.afterCommit(() => {
        throw new Error('a hook with a fault')
      })
      tx.afterCommit(() => (second = true))
      void tx.query(note('kept'))
      return 'committed'
    })
    assert.equal(value, 'committed')
    assert.equal(second, true)
    assert.deepEqual(await notes.all(), ['kept'])
  })

  it('refuses statements and items once its function has returned', async () => {
    await using test = await migratedDatabase()
    const notes = await noteTable(test.database)
    const tx = await test.database.inTransaction((running) => running)
    const late = async () => tx.query(note('late'))
    await assert.rejects(late(), TypeError)
    assert.throws(() => tx.collect(noteCollector('late', 10), 'late'), TypeError)
    assert.throws(() => tx.afterCommit(() => {}), TypeError)
    assert.deepEqual(await notes.all(), [])
  })

  it('stops before COMMIT when its signal is aborted', async () => {
    await using test = await migratedDatabase()
    const notes = await noteTable(test.database)
    const aborting = new AbortController()
    await assert.rejects(
      test.database.inTransaction(
        async (tx) => {
          await tx.query(note('never'))
          aborting.abort(new Error('stop'))
        },
        { signal: aborting.signal },
      ),
      /stop/,
    )
    assert.deepEqual(await notes.all(), [])
  })

  it('leaves a marker only when it is to be settled', async () => {
    await using test = await migratedDatabase()
    const markers = async () => (await test.database.query({ text: 'select from headrace.commit_marker' })).rowCount
    await test.database.inTransaction((tx) => void tx.query({ text: 'select 1' }))
    assert.equal(await markers(), 0)
    await test.database.inTransaction((tx) => void tx.query({ text: 'select 1' }), { settle: true })
    assert.equal(await markers(), 1)
  })

  it('that was cut off during a statement throws DATABASE_UNAVAILABLE and leaves nothing', async () => {
    await using test = await migratedDatabase()
    const notes = await noteTable(test.database)
    await using proxy = await startProxy(test.url)
    await using database = openDatabase({ url: proxy.url })
    for (const fate of ['cut', 'cut-answer', 'cut-client'] as const) {
      for (const settle of [false, true]) {
        proxy.fate = (statement) => (statement === 'note.insert' ? fate : 'pass')
        await assert.rejects(
          database.inTransaction(
            async (tx) => {
              await tx.query(note(fate))
            },
            { settle },
          ),
          (error) => hasCode(error, 'DATABASE_UNAVAILABLE'),
        )
        proxy.fate = () => 'pass'
        assert.equal((await database.query({ text: 'select 1' })).rowCount, 1)
      }
    }
    assert.deepEqual(await notes.all(), [])
  })

  it('that was cut off and swallowed it was not committed, which needs no settling', async () => {
    await using test = await migratedDatabase()
    const notes = await noteTable(test.database)
    await using proxy = await startProxy(test.url)
    await using database = openDatabase({ url: proxy.url })
    proxy.fate = (statement) => (statement === 'note.insert' ? 'cut' : 'pass')
    const swallowing = database.inTransaction(async (tx) => {
      await tx.query(note('lost')).catch(() => undefined)
    })
    await assert.rejects(swallowing, (error) => hasCode(error, 'DATABASE_UNAVAILABLE'))
    assert.deepEqual(await notes.all(), [])
  })
})
