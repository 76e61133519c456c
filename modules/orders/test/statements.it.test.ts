import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { it } from 'node:test'
import { migrate, openDatabase } from '@headrace/database'
import { recorded, testDatabase, wholeReads } from '@headrace/database/testing'
import { placed } from '../src/domain/order.ts'
import { ordersMigrations } from '../src/store/migrations.ts'
import { changedOrders, findOrder, listOrders, lockDueOrders, lockOrders } from '../src/store/orders.ts'

it('an order is found by an index, however many there are', { timeout: 240_000 }, async () => {
  await using server = await testDatabase({ name: 'orders' })
  await using database = openDatabase({ url: server.url, maxConnections: 1 })
  await migrate(database, [ordersMigrations])
  const [id, userId, at] = [randomUUID(), randomUUID(), new Date()]
  const order = { ...placed({ id, userId, amountMinor: 1, currency: 'USD' }), createdAt: at, updatedAt: at }
  const read = await recorded(async (recorder) => {
    await findOrder(recorder, id)
    await lockOrders(recorder, [id])
    await lockDueOrders(recorder, 100)
    await listOrders(recorder, { userId, behind: undefined, limit: 50 })
    await listOrders(recorder, { userId, behind: { createdAtMs: 0, id }, limit: 50 })
  })
  const statements = [changedOrders.statement([order]), ...read]
  const kept = statements.filter(({ replan }) => replan !== true)
  assert.deepEqual(await wholeReads(database, kept), [], 'by plans over an empty table')
  await database.query({
    text: `insert into orders.customer_order (id, user_id, amount_minor, currency, status, complete_at)
           select gen_random_uuid(), gen_random_uuid(), 1, 'USD', 'paid', now() + interval '1 day'
           from generate_series(1, 5000)`,
  })
  assert.deepEqual(await wholeReads(database, statements), [], 'by plans over a large table')
})
