import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { databaseMigrations, openDatabase } from '@headrace/database'
import { migrateUpTo, testDatabase, untilTrue } from '@headrace/database/testing'
import type { Delivery } from '@headrace/inbox'
import { listParked } from '@headrace/inbox'
import { sleep } from '@headrace/runtime'
import { testStation } from '@headrace/station/testing'
import fc from 'fast-check'
import type { Order } from '../src/contract.ts'
import { ordersHandler } from '../src/handlers/orders.ts'
import { orderLookupMigrations } from '../src/module.ts'
import { findOrder } from '../src/store/read-orders.ts'
import { exampleItem, exampleOrder, orderNumber, ordersMessage, rubbish } from './support/orders.ts'
import { startReplica } from './support/replica.ts'

const deadlineMs = 30_000

describe('consuming', { timeout: 240_000 }, () => {
  it('what is stored equals what was sent, field by field, and rubbish between holds nothing up', async () => {
    await using replica = await startReplica()
    const { station } = replica
    const orders = Array.from({ length: 300 }, (_, n) => orderNumber(n))
    const bad = rubbish()
    await station.log.inTransaction((tx) => {
      orders.forEach((order, n) => {
        tx.append(ordersMessage(order))
        const [body] = bad[n % 10 === 0 ? n / 10 : -1] ?? []
        // Some behind a good order with the same key.
        if (body !== undefined)
          tx.append(ordersMessage(order, { id: `bad-${n}`, key: n % 20 ? 'bad' : order.order_uid, body }))
      })
      // The same again.
      for (const order of orders.slice(0, 50)) tx.append(ordersMessage(order))
    })
    const sent = 300 + 30 + 50
    await untilTrue('all are consumed', async () => (await replica.stats()).consumer.consumed === sent, deadlineMs)
    const { stored, rejected } = (await replica.stats()).consumer
    assert.equal(rejected, 30)
    // One that came again in the same batch is stored once.
    assert.ok(stored >= 300 && stored <= 350, `${stored} stored`)
    for (const order of orders) assert.deepEqual((await findOrder(station.database, order.order_uid))?.order, order)
    const { rows } = await station.database.query({ text: 'select from order_lookup.orders' })
    assert.equal(rows.length, 300)
    const parked = await listParked(station.database, { limit: 100 })
    assert.equal(parked.length, 30)
    for (const { messageId, code, error } of parked) {
      const [, reason] = bad[Number(messageId.slice(4)) / 10] ?? []
      assert.equal(code, 'POISON_MESSAGE')
      assert.match(error ?? '', reason ?? /never/)
    }
  })

  it('an order changed again and again over two partitions ends as it was written last, with its items only', async () => {
    await using replica = await startReplica()
    const { station } = replica
    const version = (n: number): Order =>
      exampleOrder({
        entry: `v${n}`,
        items: Array.from({ length: ((n * 7) % 5) + 1 }, (_, i) => exampleItem({ chrt_id: n * 10 + i })),
      })
    for (let n = 1; n <= 40; n += 1) {
      // The log's clock tells which is newer, whichever partition it stands in.
      const message = ordersMessage(version(n), { id: `v${n}`, key: n % 2 ? 'a' : 'b' })
      await station.log.inTransaction((tx) => tx.append(message))
      // Times count in whole ms, and the next version is to be a later one.
      await sleep(2)
    }
    await untilTrue('all are consumed', async () => (await replica.stats()).consumer.consumed === 40, deadlineMs)
    assert.deepEqual((await replica.get('b563feb7b2b84b6test')).order, version(40))
  })

  it('in whatever order and batches versions arrive from their lanes, the newest stays', async () => {
    await using station = await testStation({ migrations: [orderLookupMigrations] })
    const handle = ordersHandler({ topic: 'orders', hold: () => () => {}, onStored() {} })
    const deliver = (messages: readonly Delivery[]) => station.log.inTransaction((tx) => handle(tx, messages))
    const ats = fc.array(fc.record({ at: fc.integer({ min: 1, max: 6 }), lane: fc.nat(2), split: fc.boolean() }), {
      minLength: 1,
      maxLength: 8,
    })
    let run = 0
    await fc.assert(
      fc.asyncProperty(ats, async (plan) => {
        run += 1
        const id = `walk-${run}`
        const messages = plan.map(({ at, lane }, n) => delivery(id, { at, n, origin: `o${run}`, partition: lane }))
        const batch: Delivery[] = []
        for (const [n, message] of messages.entries()) {
          batch.push(message)
          if (plan[n]?.split) await deliver(batch.splice(0))
        }
        if (batch.length > 0) await deliver(batch)
        // By hand: each lane's time never falls; the latest time wins, then the partition, then the position.
        const latest = new Map<number, number>()
        const ranked = plan.map(({ at, lane }, n) => {
          latest.set(lane, Math.max(latest.get(lane) ?? 0, at))
          return { n, rank: [latest.get(lane) ?? 0, lane, n] as const }
        })
        const winner = ranked.reduce((a, b) => (isLess(a.rank, b.rank) ? b : a))
        assert.equal((await findOrder(station.database, id))?.order.entry, `v${winner.n}`)
      }),
      { numRuns: 60 },
    )
  })

  it('versions that failed, and come again when their lanes have gone on, replace no newer ones', async () => {
    await using station = await testStation({ migrations: [orderLookupMigrations] })
    const handle = ordersHandler({ topic: 'orders', hold: () => () => {}, onStored() {} })
    let run = 0
    const staying = async (plan: readonly Planned[]) => {
      run += 1
      const origin = `o${run}`
      const messages = plan.map(({ at, lane }, n) => delivery(`late-${run}`, { at, n, origin, partition: lane }))
      const others = plan.map(({ lane }) => delivery('other', { at: Date.now(), n: 100, origin, partition: lane }))
      const late = messages.filter((_, n) => plan[n]?.fails)
      for (const message of [...messages.filter((each) => !late.includes(each)), ...others, ...late]) {
        await station.log.inTransaction((tx) => handle(tx, [message]))
      }
      return (await findOrder(station.database, `late-${run}`))?.order.entry
    }
    const plans = (at: fc.Arbitrary<number>, lane: fc.Arbitrary<number>) =>
      fc.array(fc.record({ at, lane, fails: fc.boolean() }), { minLength: 2, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(plans(fc.integer({ min: 1, max: 6 }), fc.nat(2)), async (unsorted) => {
        // Clocks that are right tell which is newer over all lanes.
        const plan = unsorted.toSorted((a, b) => a.at - b.at)
        const ranked = plan.map(({ at, lane }, n) => ({ n, rank: [at, lane, n] }))
        const newest = ranked.reduce((a, b) => (isLess(a.rank, b.rank) ? b : a))
        assert.equal(await staying(plan), `v${newest.n}`)
      }),
      { numRuns: 30 },
    )
    const anyClock = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(Date.now() + 3_600_000))
    await fc.assert(
      fc.asyncProperty(plans(anyClock, fc.constant(0)), async (plan) => {
        assert.equal(await staying(plan), `v${plan.length - 1}`)
      }),
      { numRuns: 30 },
    )
  })

  it('orders that could not be written are held no longer', async () => {
    await using station = await testStation({ migrations: [orderLookupMigrations] })
    let held = 0
    const hold = () => {
      held += 1
      return () => {
        held -= 1
      }
    }
    const handle = ordersHandler({ topic: 'orders', hold, onStored() {} })
    const spot = { origin: 'o', partition: 0, offset: 2 ** 70 }
    const unwritable = { ...delivery('a', { at: 1, n: 1, ...spot }), spot }
    await assert.rejects(
      station.log.inTransaction((tx) => handle(tx, [unwritable])),
      /bigint/,
    )
    assert.equal(held, 0)
  })
})

describe('the migrations', () => {
  it('keep the orders that were stored without their topic, for newer versions to replace', async () => {
    await using database = await testDatabase({ name: 'older' })
    {
      await using owner = openDatabase({ url: database.url, maxConnections: 2 })
      await migrateUpTo(owner, [databaseMigrations, orderLookupMigrations], '001-orders.sql')
      await owner.query({ text: storedBefore })
    }
    await using station = await testStation({ url: database.url, migrations: [orderLookupMigrations] })
    const handle = ordersHandler({ topic: 'orders', hold: () => () => {}, onStored() {} })
    const entry = async () => {
      const { rows } = await station.database.query({ text: 'select entry from order_lookup.orders' })
      return rows
    }
    for (const [at, stored] of [
      [6, 'before'],
      [8, 'v8'],
    ] as const) {
      const message = delivery('older', { at, n: at, origin: `o${at}`, partition: 0 })
      await station.log.inTransaction((tx) => handle(tx, [message]))
      assert.deepEqual(await entry(), [{ entry: stored }])
    }
  })
})

const storedBefore = `
  insert into order_lookup.lane_time values ('orders', 'o', 0, 7);
  insert into order_lookup.orders values ('older', 't', 'before', '', '', '', '', '', 0, '', '', 7, 'o', 0, 1)`

interface Planned {
  readonly at: number
  readonly lane: number
  /** At first: it comes again when all others are handled. */
  readonly fails: boolean
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index])
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0)
}

function delivery(id: string, at: { at: number; n: number; origin: string; partition: number }): Delivery {
  const order = exampleOrder({ order_uid: id, entry: `v${at.n}`, items: [exampleItem({ chrt_id: at.n })] })
  return {
    ...ordersMessage(order),
    position: at.n,
    at: at.at,
    attempt: 1,
    spot: { origin: at.origin, partition: at.partition, offset: at.n + 1 },
  }
}
