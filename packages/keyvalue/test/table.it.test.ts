import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Database, migrate, openDatabase } from '@headrace/database'
import { type TestDatabase, testDatabase, testServer, untilTrue } from '@headrace/database/testing'
import { hasCode } from '@headrace/runtime'
import {
  type KeyValueDatabase,
  keyvalueMigrations,
  startKeyValueSweep,
  sweepKeyValue,
  tableKeyValue,
} from '../src/index.ts'
import { type KeyValueFixture, keyValuePromises } from '../src/suite/index.ts'
import { rewriting, sqlMutants } from './sql-mutants.ts'

const hour = { ttlMs: 3_600_000 }
const moment = { ttlMs: 20 }

describe('tableKeyValue', () => {
  let testBase: TestDatabase
  let database: Database
  let twin: Database

  before(async () => {
    testBase = await testDatabase({ name: 'keyvalue' })
    database = openDatabase({ url: testBase.url })
    twin = openDatabase({ url: testBase.url })
    await migrate(database, [keyvalueMigrations])
  })

  after(async () => {
    await twin.stop()
    await database.stop()
    await testBase[Symbol.asyncDispose]()
  })

  describe('keeps what every driver promises:', () => {
    for (const promise of keyValuePromises) {
      it(promise.name, () => promise.prove(async () => fixtureOf(database, twin)))
    }
  })

  describe('breaks a promise when its SQL is changed:', { concurrency: true }, () => {
    for (const { kills, statement, from, to } of sqlMutants) {
      it(`${statement} with '${to}' for '${from}'`, async () => {
        const promise = keyValuePromises.find(({ name }) => name === kills)
        assert.ok(promise, `the suite has no promise '${kills}'`)
        const broken = (base: Database) => rewriting(base, { statement, from, to })
        await assert.rejects(promise.prove(async () => fixtureOf(broken(database), broken(twin))))
      })
    }
  })

  it('a sweep removes expired rows, at most as many as it may, and no others', async () => {
    await database.query({ text: 'delete from headrace.keyvalue' })
    const store = tableKeyValue(database)
    await store.set('kept', 'value', hour)
    await makeExpired(database, 5)
    assert.equal(await sweepKeyValue(database, 3), 3)
    assert.equal(await sweepKeyValue(database, 3), 2)
    assert.equal(await sweepKeyValue(database, 3), 0)
    assert.equal(await rowsIn(database), 1)
    assert.equal(await store.get('kept'), 'value')
  })

  it('a sweep passes over a row that is being written and never removes its new value', async () => {
    await database.query({ text: 'delete from headrace.keyvalue' })
    await makeExpired(database, 2)
    await twin.inTransaction(async (tx) => {
      const inAnHour = `now() + interval '1 hour'`
      await tx.query({ text: `update headrace.keyvalue set expires_at = ${inAnHour} where key = 'expired 1'` })
      assert.equal(await sweepKeyValue(database), 1)
    })
    assert.equal(await sweepKeyValue(database), 0)
    assert.equal(await rowsIn(database), 1)
  })

  it('the sweep loop empties a backlog of several batches without pausing, and stops', async () => {
    await database.query({ text: 'delete from headrace.keyvalue' })
    await makeExpired(database, 2_500)
    const errors: unknown[] = []
    await using sweep = startKeyValueSweep(database, { onError: (error) => errors.push(error) })
    await untilTrue('the table is empty', async () => (await rowsIn(database)) === 0)
    await sweep.stop()
    assert.deepEqual(errors, [])
  })

  it('an error that is not the connection’s passes as it is', async () => {
    await using empty = await testDatabase({ name: 'unmigrated' })
    await using unmigrated = openDatabase({ url: empty.url })
    await assert.rejects(tableKeyValue(unmigrated).get('key'), { code: '42P01' })
  })

  it('a statement that runs into its time limit is an unavailable store', async () => {
    await using hasty = openDatabase({ url: testBase.url, statementTimeoutMs: 100 })
    await tableKeyValue(database).set('locked', 'value', hour)
    await twin.inTransaction(async (tx) => {
      await tx.query({ text: `select from headrace.keyvalue where key = 'locked' for update` })
      await assert.rejects(tableKeyValue(hasty).set('locked', 'new', hour), unavailable)
    })
    assert.equal(await tableKeyValue(database).get('locked'), 'value')
  })
})

describe('tableKeyValue over a server that dies', () => {
  it('says so while the server is away and has every value when it is back', async () => {
    await using server = await testServer()
    await using database = openDatabase({ url: server.url, connectTimeoutMs: 1_000 })
    await migrate(database, [keyvalueMigrations])
    const store = tableKeyValue(database)
    await store.set('session', 'value', hour)
    await store.set('short', 'value', moment)
    await server.kill()
    // A backend may outlive its server for a moment: until then the value, afterwards an error, never "not found".
    await untilTrue('a read fails', () => store.get('session').then(isMissing, unavailable))
    await server.restart()
    await untilTrue('the store answers', () => store.get('session').then(Boolean, () => false))
    assert.equal(await store.get('session'), 'value')
    assert.equal(await store.get('short'), undefined)
  })
})

async function fixtureOf(database: KeyValueDatabase, twin: KeyValueDatabase): Promise<KeyValueFixture> {
  // Port 1 of the loopback: nobody listens there.
  const nowhere = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none', connectTimeoutMs: 500 })
  return {
    store: tableKeyValue(database),
    twin: tableKeyValue(twin),
    unreachable: tableKeyValue(nowhere),
    [Symbol.asyncDispose]: () => nowhere.stop(),
  }
}

async function makeExpired(database: Database, count: number): Promise<void> {
  await database.query({
    text: `insert into headrace.keyvalue (key, value, expires_at)
             select 'expired ' || n, 'value', now() - interval '1 second' from generate_series(1, $1::int) n`,
    values: [count],
  })
}

async function rowsIn(database: Database): Promise<number> {
  const { rows } = await database.query<{ count: number }>({ text: 'select count(*) from headrace.keyvalue' })
  return rows[0]?.count ?? -1
}

function unavailable(error: unknown): boolean {
  return hasCode(error, 'KEYVALUE_UNAVAILABLE')
}

/** Nothing but the value may be read while the server dies. */
function isMissing(value: string | undefined): false {
  assert.equal(value, 'value')
  return false
}
