import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { databaseMigrations, migrate, openDatabase, sqlState, startWakeUps } from '@headrace/database'
import { type TestDatabase, testDatabase } from '@headrace/database/testing'
import { memoryPubSub } from '@headrace/keyvalue'
import { logMigrations, openLog } from '@headrace/log'
import { liveMigrations, startLive } from '../src/index.ts'
import { removeOldEvents } from '../src/retention.ts'
import { migrateLive, type Replica, startReplica } from './support/replica.ts'

describe('publishing', () => {
  let testBase: TestDatabase
  let one: Replica
  let other: Replica

  before(async () => {
    testBase = await testDatabase({ name: 'live' })
    await migrateLive(testBase.url)
    one = await startReplica({ url: testBase.url })
    other = await startReplica({ url: testBase.url })
  })

  after(async () => {
    await one[Symbol.asyncDispose]()
    await other[Symbol.asyncDispose]()
    await testBase[Symbol.asyncDispose]()
  })

  it('numbers each subject 1 to n without holes, under concurrent transactions, rollbacks and shared subjects', async () => {
    const subjects = Array.from({ length: 5 }, () => randomUUID())
    const counts = await publishAtOnce([one, other], subjects)
    for (const subject of subjects) {
      assert.deepEqual(await stored(one, subject), { head: counts.get(subject), seqs: upTo(counts.get(subject)) })
    }
  })

  it('locks subjects in one order: in that of their publishing, transactions would lock each other out', async () => {
    await using slowBase = await testDatabase({ name: 'live' })
    await migrateLive(slowBase.url)
    await using replica = await startReplica({ url: slowBase.url })
    const [a, b] = [randomUUID(), randomUUID()]
    const publishAll = (subjects: readonly string[]) =>
      replica.database.inTransaction((tx) => {
        for (const subject of subjects) replica.live.publish(tx, { subject, event: 'update', data: 1 })
      })
    const bothOrders = () => Promise.all([publishAll([a, b]), publishAll([b, a])])
    // A pause between two locks, so that the other transaction is sure to come in between.
    const paused = `clock_timestamp() + (pg_sleep(0.4)::text = 'never')::int * interval '1 s' from`
    await rewriteAppend(replica, 'clock_timestamp() from', paused)
    await bothOrders()
    await rewriteAppend(replica, 'order by t.subject collate "C"', '')
    await assert.rejects(bothOrders(), (error) => sqlState(error) === '40P01')
  })

  it('keeps the events of a transaction in the order of their publishing', async () => {
    const [a, b] = [randomUUID(), randomUUID()]
    await one.database.inTransaction((tx) => {
      for (const [subject, n] of [
        [a, 1],
        [b, 1],
        [a, 2],
        [a, 3],
        [b, 2],
      ] as const) {
        one.live.publish(tx, { subject, event: 'update', data: { n } })
      }
    })
    for (const [subject, count] of [
      [a, 3],
      [b, 2],
    ] as const) {
      const { rows } = await one.database.query<{ data: string }>({
        text: 'select data from headrace.live_event where subject = $1 order by seq',
        values: [subject],
      })
      assert.deepEqual(
        rows.map(({ data }) => data),
        upTo(count).map((n) => `{"n":${n}}`),
      )
    }
  })

  it('is part of a transaction of the log', async () => {
    await using base = await testDatabase({ name: 'live' })
    await using database = openDatabase({ url: base.url, maxConnections: 3 })
    await migrate(database, [databaseMigrations, logMigrations, liveMigrations])
    await using wakeUps = startWakeUps({ url: base.url })
    const onError = assert.ifError
    await using log = await openLog({ database, wakeUps, onError })
    await using live = startLive({ database, pubsub: memoryPubSub({ onError }), onError })
    await log.declareTopic('orders')
    await log.inTransaction((tx) => {
      live.publish(tx, { subject: 'orders:1', event: 'update', data: { n: 1 } })
      tx.append({ topic: 'orders', id: '1', key: '1', type: 'placed', headers: {}, body: Buffer.from('{}') })
    })
    const failing = log.inTransaction((tx) => {
      live.publish(tx, { subject: 'orders:1', event: 'update', data: { n: 2 } })
      throw new Error('declined')
    })
    await assert.rejects(failing, /declined/)
    const { rows } = await database.query<{ data: string }>({ text: 'select data from headrace.live_event' })
    assert.deepEqual(rows, [{ data: '{"n":1}' }])
  })

  it('is forgotten after its time, the oldest first and some at a time; heads stay', async () => {
    const subject = randomUUID()
    await one.publish(subject, 1, 2, 3, 4)
    await one.publish(subject, 5)
    await one.database.query({
      text: `update headrace.live_event set at = at - interval '25 hours' where subject = $1 and seq <= 4`,
      values: [subject],
    })
    assert.equal(await removeOldEvents(one.database, 24 * 3_600_000, 3), 3)
    assert.deepEqual(await stored(one, subject), { head: 5, seqs: [4, 5] })
    assert.equal(await removeOldEvents(one.database, 24 * 3_600_000, 3), 1)
    assert.equal(await removeOldEvents(one.database, 24 * 3_600_000, 3), 0)
    await one.publish(subject, 6)
    assert.deepEqual(await stored(one, subject), { head: 6, seqs: [5, 6] })
  })
})

/** Sixteen publishers, half of them at each replica; every fifth transaction is rolled back. Counts what was committed. */
async function publishAtOnce(
  replicas: readonly Replica[],
  subjects: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  const publisher = async (publisherNumber: number) => {
    const replica = replicas[publisherNumber % replicas.length]
    if (replica === undefined) throw new RangeError('no replica')
    for (let round = 0; round < 25; round += 1) {
      const rotated = subjects.map(
        (_, index) => subjects[(index * 3 + publisherNumber + round) % subjects.length] ?? '',
      )
      const isRolledBack = round % 5 === 4
      const publishing = replica.database.inTransaction((tx) => {
        for (const subject of rotated) replica.live.publish(tx, { subject, event: 'update', data: { round } })
        if (isRolledBack) throw new Error('rolled back')
      })
      if (isRolledBack) await assert.rejects(publishing, /rolled back/)
      else await publishing
      if (!isRolledBack) for (const subject of rotated) counts.set(subject, (counts.get(subject) ?? 0) + 1)
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: 16 }, (_, index) => publisher(index)))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return counts
}

async function stored(replica: Replica, subject: string) {
  const heads = await replica.database.query<{ seq: number }>({
    text: 'select seq from headrace.live_head where subject = $1',
    values: [subject],
  })
  const { rows } = await replica.database.query<{ seq: number }>({
    text: 'select seq from headrace.live_event where subject = $1 order by seq',
    values: [subject],
  })
  return { head: heads.rows[0]?.seq, seqs: rows.map(({ seq }) => seq) }
}

function upTo(count = 0): number[] {
  return Array.from({ length: count }, (_, index) => index + 1)
}

async function rewriteAppend({ database }: Replica, from: string, to: string): Promise<void> {
  const { rows } = await database.query<{ source: string }>({
    text: `select pg_get_functiondef('headrace.live_append'::regproc) as source`,
  })
  const source = rows[0]?.source ?? ''
  assert.ok(source.includes(from), `the function does not hold '${from}'`)
  await database.query({ text: source.replace(from, to) })
}
