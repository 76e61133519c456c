import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Database } from '@headrace/database'
import { currentIncarnation } from '../src/incarnation.ts'
import { logDatabase, message, startLog, startProcess } from './support/process.ts'

interface Row {
  readonly id: string
  readonly predecessor: string | null
  readonly predecessor_heads: Record<string, number>
}

async function incarnations(database: Database): Promise<Row[]> {
  const { rows } = await database.query<Row>({
    text: 'select id, predecessor, predecessor_heads from headrace.log_incarnation order by started_at',
  })
  return rows
}

/** What the database looks like to whoever restored it elsewhere. */
async function pretendCopy(database: Database): Promise<void> {
  await database.query({ text: `update headrace.log_incarnation set cluster = 'another/' || cluster` })
}

describe('the incarnation of a log', () => {
  it('stays the same from start to start', async () => {
    await using first = await startLog()
    await using second = await startProcess(first.url)
    assert.equal(second.log.id, first.log.id)
    assert.match(first.log.id, /^[0-9a-f-]{36}$/)
    assert.equal((await incarnations(first.database)).length, 1)
  })

  it('is one when several processes start at once, on a new database and on a copy', async () => {
    await using test = await logDatabase()
    await using stack = new AsyncDisposableStack()
    for (const expected of [1, 2]) {
      const processes = await Promise.all(
        Array.from({ length: 4 }, async () => stack.use(await startProcess(test.url))),
      )
      assert.equal(new Set(processes.map(({ log }) => log.id)).size, 1)
      const { database } = processes[0] ?? assert.fail('none')
      assert.equal((await incarnations(database)).length, expected)
      await pretendCopy(database)
    }
  })

  it('is a new one on a copy, and keeps the old one with the heads that it found', async () => {
    await using test = await startLog()
    await test.log.declareTopic('t')
    await test.log.inTransaction((tx) => {
      for (let n = 0; n < 5; n += 1) tx.append(message('t', `${n}`, { key: 'k' }))
    })
    const heads = await test.log.heads('t')
    await pretendCopy(test.database)
    await using copy = await startProcess(test.url)
    assert.notEqual(copy.log.id, test.log.id)
    const [, latest] = await incarnations(copy.database)
    assert.equal(latest?.id, copy.log.id)
    assert.equal(latest?.predecessor, test.log.id)
    const expected = heads.map(({ topic, partition, nextOffset }) => [`${topic}/${partition}`, nextOffset])
    assert.deepEqual(latest?.predecessor_heads, Object.fromEntries(expected))
    assert.equal(await currentIncarnation(copy.database), copy.log.id)
  })

  it('is made once for a copy on a machine whose clock is behind', async () => {
    await using test = await startLog()
    await test.database.query({ text: `update headrace.log_incarnation set started_at = now() + interval '1 day'` })
    await pretendCopy(test.database)
    const first = await currentIncarnation(test.database)
    assert.notEqual(first, test.log.id)
    assert.equal(await currentIncarnation(test.database), first)
  })

  it('is a new one in a database that was made from another one of the same cluster', async () => {
    await using test = await startLog()
    await test.database.query({
      text: `update headrace.log_incarnation
             set cluster = replace(cluster, (select oid::text from pg_database where datname = current_database()), '1')`,
    })
    assert.notEqual(await currentIncarnation(test.database), test.log.id)
  })
})
