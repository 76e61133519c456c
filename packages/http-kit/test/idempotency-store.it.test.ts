import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { type Database, databaseMigrations, migrate, openDatabase } from '@headrace/database'
import { type TestDatabase, testDatabase } from '@headrace/database/testing'
import {
  answerKey,
  decideByKey,
  fingerprint,
  forgetKey,
  httpKitMigrations,
  isTwinConflict,
  keyId,
  lookupKey,
  recordKey,
  recordKeys,
  sweepKeys,
} from '../src/index.ts'

describe('idempotency keys in the database', () => {
  let owner: TestDatabase
  let database: Database

  before(async () => {
    owner = await testDatabase({ name: 'http_kit' })
    database = openDatabase({ url: owner.url, maxConnections: 4 })
    await migrate(database, [databaseMigrations, httpKitMigrations])
    await database.query({ text: 'create table effect (id text primary key)' })
  })
  after(async () => {
    await database.stop()
    await owner[Symbol.asyncDispose]()
  })

  const newId = () => keyId({ caller: 'anonymous', method: 'POST', route: '/x' }, randomUUID())
  const mark = fingerprint('POST', '/x', { a: 1 })

  it('a key with its answer is found again as it was recorded', async () => {
    const id = newId()
    const body = { id: 7, text: '☃ \\ "', list: [], nothing: null }
    assert.equal(await lookupKey(database, id), undefined)
    await database.inTransaction((tx) =>
      recordKey(tx, { id, fingerprint: mark, effectId: 'e-1', response: { status: 201, body } }),
    )
    assert.deepEqual(decideByKey(await lookupKey(database, id), mark), {
      kind: 'replay',
      response: { status: 201, body },
    })
  })

  it('a key without an answer gives its effect, and its answer once there is one', async () => {
    const id = newId()
    await recordKey(database, { id, fingerprint: mark, effectId: 'e-2' })
    assert.deepEqual(decideByKey(await lookupKey(database, id), mark), { kind: 'unanswered', effectId: 'e-2' })
    await answerKey(database, id, { status: 200, body: 'first' })
    await answerKey(database, id, { status: 200, body: 'second' })
    const response = { status: 200, body: 'first' }
    assert.deepEqual(decideByKey(await lookupKey(database, id), mark), { kind: 'replay', response })
  })

  it('a key whose transaction failed is free', async () => {
    const id = newId()
    const failing = database.inTransaction(async (tx) => {
      await recordKey(tx, { id, fingerprint: mark, effectId: 'e' })
      throw new Error('no')
    })
    await assert.rejects(failing, /no/)
    assert.equal(await lookupKey(database, id), undefined)
  })

  it('ten twins in ten transactions: one effect, and each finds the same answer', async () => {
    const id = newId()
    const one = async (): Promise<unknown> => {
      const decision = decideByKey(await lookupKey(database, id), mark)
      if (decision.kind === 'replay') return decision.response.body
      const effectId = randomUUID()
      try {
        await database.inTransaction(async (tx) => {
          await tx.query({ text: 'insert into effect (id) values ($1)', values: [effectId] })
          await recordKey(tx, { id, fingerprint: mark, effectId, response: { status: 200, body: effectId } })
        })
        return effectId
      } catch (error) {
        if (!isTwinConflict(error)) throw error
        return one()
      }
    }
    const answers = await Promise.all(Array.from({ length: 10 }, one))
    const { rows } = await database.query<{ id: string }>({ text: 'select id from effect' })
    assert.equal(rows.length, 1)
    assert.deepEqual(new Set(answers), new Set([rows[0]?.id]))
  })

  it('several keys are recorded together or not at all', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((effectId) => ({ id: newId(), fingerprint: mark, effectId }))
    assert.ok(a && b && c)
    await recordKeys(database, [a, b])
    assert.equal((await lookupKey(database, b.id))?.effectId, 'b')
    await assert.rejects(recordKeys(database, [c, a]), (error) => isTwinConflict(error))
    assert.equal(await lookupKey(database, c.id), undefined)
  })

  it('faults of ours are refused, and a forgotten key is free', async () => {
    const id = newId()
    await assert.rejects(
      recordKey(database, { id, fingerprint: mark, effectId: 'e', response: { status: 503, body: {} } }),
      RangeError,
    )
    await recordKey(database, { id, fingerprint: mark, effectId: 'e' })
    await assert.rejects(answerKey(database, id, { status: 429, body: {} }), RangeError)
    await forgetKey(database, id)
    assert.equal(await lookupKey(database, id), undefined)
  })

  it('the sweep takes only keys older than a day, a bounded number at a time', async () => {
    const old = [newId(), newId(), newId()]
    const fresh = newId()
    for (const id of [...old, fresh]) await recordKey(database, { id, fingerprint: mark, effectId: 'e' })
    const text = `update headrace.idempotency_key set created_at = now() - interval '25 hours' where id = any($1)`
    await database.query({ text, values: [old] })
    assert.deepEqual(
      [await sweepKeys(database, 2), await sweepKeys(database, 2), await sweepKeys(database, 2)],
      [2, 1, 0],
    )
    assert.ok(await lookupKey(database, fresh))
  })
})
