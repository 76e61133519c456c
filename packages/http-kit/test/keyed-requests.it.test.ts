import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type Database, databaseMigrations, migrate, openDatabase, type Transaction } from '@headrace/database'
import { type TestDatabase, testDatabase } from '@headrace/database/testing'
import { hasCode, PlatformError } from '@headrace/runtime'
import { httpKitMigrations, type KeyedRequests, keyedRequests, type StoredResponse } from '../src/index.ts'

describe('requests with a key', () => {
  let owner: TestDatabase
  let database: Database

  before(async () => {
    owner = await testDatabase({ name: 'keyed' })
    database = openDatabase({ url: owner.url, maxConnections: 8 })
    await migrate(database, [databaseMigrations, httpKitMigrations])
    await database.query({ text: 'create table effect (id text primary key, what text not null)' })
  })
  after(async () => {
    await database.stop()
    await owner[Symbol.asyncDispose]()
  })

  /** One replica: what runs there is known there only. */
  const replica = (): KeyedRequests<Transaction> =>
    keyedRequests<Transaction>({
      database,
      inTransaction: (work, options) => database.inTransaction(work, options),
      newId: randomUUID,
    })
  const request = (header: string | undefined, body: unknown = { amount: 1 }, caller?: string) => ({
    header,
    caller,
    method: 'POST',
    route: '/things',
    body,
  })
  const insert =
    (what: string) =>
    async (tx: Transaction, effectId: string): Promise<StoredResponse> => {
      await tx.query({ text: 'insert into effect (id, what) values ($1, $2)', values: [effectId, what] })
      return { status: 201, body: { id: effectId } }
    }
  const effectsOf = async (what: string) => {
    const { rows } = await database.query({ text: 'select id from effect where what = $1', values: [what] })
    return rows.length
  }

  it('of 24 equal requests at three replicas one takes effect, and repeated on 409 all get its answer', async () => {
    const replicas = [replica(), replica(), replica()]
    const ask = async (index: number): Promise<StoredResponse> => {
      try {
        return await (replicas[index % 3] ?? replica()).answer(request('twins'), insert('twins'))
      } catch (error) {
        if (!hasCode(error, 'IDEMPOTENCY_KEY_IN_PROGRESS')) throw error
        await setImmediate()
        return ask(index + 1)
      }
    }
    const answers = await Promise.all(Array.from({ length: 24 }, (_, index) => ask(index)))
    for (const answer of answers) assert.deepEqual(answer, answers[0])
    assert.equal(await effectsOf('twins'), 1)
  })

  it('of equal requests at two replicas one makes a thing that there is once, and both get its answer', async () => {
    await database.query({ text: 'create table single (name text primary key)' })
    const make = async (tx: Transaction, effectId: string): Promise<StoredResponse> => {
      const { rowCount } = await tx.query({ text: `insert into single values ('one') on conflict do nothing` })
      if (rowCount === 0) throw new PlatformError('INVALID_REQUEST', 'it is there already')
      return { status: 201, body: { id: effectId } }
    }
    const answers = await Promise.all([0, 1].map(() => replica().answer(request('single'), make)))
    assert.deepEqual(answers[0], answers[1])
    await assert.rejects(replica().answer(request('another'), make), (error) => hasCode(error, 'INVALID_REQUEST'))
  })

  it('without a key each request takes effect', async () => {
    await replica().answer(request(undefined), insert('bare'))
    await replica().answer(request(undefined), insert('bare'))
    assert.equal(await effectsOf('bare'), 2)
  })

  it('the same key with another body is refused, and for another caller it is another key', async () => {
    await replica().answer(request('k', { amount: 1 }, 'ann'), insert('reused'))
    const other = replica().answer(request('k', { amount: 2 }, 'ann'), insert('reused'))
    await assert.rejects(other, (error) => hasCode(error, 'IDEMPOTENCY_KEY_REUSED'))
    await replica().answer(request('k', { amount: 2 }, 'bob'), insert('reused'))
    assert.equal(await effectsOf('reused'), 2)
  })

  it('an effect that throws changes nothing and leaves the key free', async () => {
    const failing = async (tx: Transaction, effectId: string): Promise<StoredResponse> => {
      await insert('failed')(tx, effectId)
      throw new Error('no')
    }
    await assert.rejects(replica().answer(request('free'), failing), /no/)
    assert.equal(await effectsOf('failed'), 0)
    assert.equal((await replica().answer(request('free'), insert('failed'))).status, 201)
  })

  it('an answer of 4xx is given again, one of 429 is not', async () => {
    const answering = (status: number) => async () => ({ status, body: { status } })
    await replica().answer(request('refused'), answering(404))
    assert.equal((await replica().answer(request('refused'), answering(201))).status, 404)
    await replica().answer(request('busy'), answering(429))
    assert.equal((await replica().answer(request('busy'), answering(201))).status, 201)
  })
})
