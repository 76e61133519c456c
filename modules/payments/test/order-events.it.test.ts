import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { recorded, untilTrue, wholeReads } from '@headrace/database/testing'
import type { Consumer, Delivery } from '@headrace/inbox'
import { hasCode, noFaults } from '@headrace/runtime'
import { type TestStation, testStation } from '@headrace/station/testing'
import { startDeadlines } from '../src/deadlines.ts'
import { newIds } from '../src/domain/ids.ts'
import { handleOrderEvents } from '../src/handlers/order-events.ts'
import { findAccount, insertAccount, lockAccounts, newBalances } from '../src/store/accounts.ts'
import { listEntries } from '../src/store/entries.ts'
import { paymentsMigrations } from '../src/store/migrations.ts'
import { changedPayments, findPaymentOf, lockOverdue, lockPayments } from '../src/store/payments.ts'
import { eventTimeMs, toMessage } from '../src/wire/envelope.ts'

const topic = 'orders-events'
const newId = newIds({ now: Date.now, randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)) })

describe('what orders tell', { timeout: 240_000 }, () => {
  let station: TestStation
  let consumer: Consumer
  const died: string[] = []

  before(async () => {
    station = await testStation({ migrations: [paymentsMigrations], schema: 'payments' })
    await station.produces(topic)
    await station.produces('payments-events')
    const handle = handleOrderEvents({ newId, timeoutMs: 60_000 })
    const subscription = { group: 'payments-service-group', topic, handle }
    consumer = await station.consume(subscription, { died: ({ id }) => died.push(id) })
  })
  after(async () => {
    await consumer.stop()
    await station[Symbol.asyncDispose]()
  })

  const tell = (type: string, data: object, id: string = newId()) =>
    station.log.inTransaction((tx) => {
      const orderId = 'order_id' in data ? String(data.order_id) : 'none'
      tx.append(toMessage({ topic, type, id, orderId, data: { ...data }, atMs: Date.now() }))
    })
  const account = async (balanceMinor: number) => {
    const user = newId()
    await insertAccount(station.database, { id: newId(), userId: user })
    const text = 'update payments.account set balance_minor = $2 where user_id = $1'
    await station.database.query({ text, values: [user, balanceMinor] })
    return user
  }
  const statusIs = (order: string, status: string) =>
    untilTrue(`the payment is ${status}`, async () => (await findPaymentOf(station.database, order))?.status === status)
  const data = (order_id: string, user_id: string, amount: unknown = 1) => ({
    order_id,
    user_id,
    amount,
    currency: 'USD',
  })

  it('is found by an index, and so is all that belongs to it', async () => {
    const [user, order, id] = [newId(), newId(), newId()]
    const charge = { orderId: order, userId: user, amountMinor: 1, currency: 'USD', dueAtMs: 0 }
    const written = [
      newBalances.statement([{ userId: user, balanceMinor: 1, atMs: 0 }]),
      changedPayments.statement([{ ...charge, id, status: 'pending' }]),
    ]
    const read = await recorded(async (recorder) => {
      await findAccount(recorder, user)
      await findPaymentOf(recorder, order)
      await lockAccounts(recorder, { userIds: [user], orderIds: [order] })
      await lockPayments(recorder, { orderIds: [order], waitingOf: [] })
      await lockPayments(recorder, { orderIds: [order], waitingOf: [user] })
      await lockOverdue(recorder, 100)
      await listEntries(recorder, { userId: user, before: undefined, limit: 50 })
    })
    const statements = [...written, ...read]
    const kept = statements.filter(({ replan }) => replan !== true)
    assert.deepEqual(await wholeReads(station.database, kept), [], 'by plans over empty tables')
    await station.database.query({
      text: `insert into payments.payment (id, order_id, user_id, amount_minor, currency, status, due_at)
             select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 'USD', 'pending', now() + interval '1 day'
             from generate_series(1, 5000)`,
    })
    assert.deepEqual(await wholeReads(station.database, statements), [], 'by plans over large tables')
  })

  it('is charged once, however often it is told', async () => {
    const user = await account(1_000)
    const order = newId()
    for (let times = 0; times < 5; times += 1) await tell('order.created', data(order, user, 3))
    await tell('order.created', data(newId(), user, 7))
    await statusIs(order, 'completed')
    await untilTrue('the account is empty', async () => {
      const text = 'select balance_minor from payments.account where user_id = $1'
      const { rows } = await station.database.query<{ balance_minor: number }>({ text, values: [user] })
      return rows[0]?.balance_minor === 0
    })
  })

  it('is never charged when the cancellation came first', async () => {
    const user = await account(1_000)
    const order = newId()
    await tell('order.cancelled', data(order, user))
    await tell('order.created', data(order, user))
    await tell('order.created', data(newId(), user))
    await statusIs(order, 'failed')
  })

  it('is set aside when it makes no sense, and holds nobody up', async () => {
    const user = await account(1_000)
    const order = newId()
    const bad = [
      data('not-a-uuid', user),
      data(order, 'x'),
      data(order, user, 10.005),
      data(order, user, '5'),
      data(order, user, -1),
      data(order, user, 1e308),
      { ...data(order, user), currency: 'X'.repeat(900_000) },
      { order_id: order },
    ]
    const ids = bad.map(() => randomUUID())
    for (const [index, each] of bad.entries()) await tell('order.created', each, ids[index])
    await tell('order.painted', data(order, user))
    await tell('order.created', data(order, user))
    await statusIs(order, 'completed')
    await untilTrue('all of them are set aside', () => ids.every((id) => died.includes(id)))
    assert.equal(died.length, bad.length)
  })

  it('fails when its time is up, though another’s payment cannot be failed', async () => {
    const [stuck, order] = [newId(), newId()]
    // As a message that was let in before had it: what is told of its failure is too large.
    await station.database.query({
      text: `insert into payments.payment (id, order_id, user_id, amount_minor, currency, status, due_at)
             select gen_random_uuid(), id, gen_random_uuid(), 1, currency, 'pending', now() - late
             from (values ($1::uuid, repeat('X', 1000000), interval '2 s'), ($2, 'USD', interval '1 s'))
               as p(id, currency, late)`,
      values: [stuck, order],
    })
    const told: unknown[] = []
    const onError = (error: unknown) => told.push(error)
    await using _deadlines = startDeadlines({ log: station.log, newId, faults: noFaults, onError })
    await statusIs(order, 'failed')
    await untilTrue('the other is told', () => told.some((error) => hasCode(error, 'MESSAGE_TOO_LARGE')))
    assert.equal((await findPaymentOf(station.database, stuck))?.status, 'pending')
  })
})

describe('the time of an event', () => {
  const message = (headers: Record<string, string>, origin?: Delivery['origin']) => ({
    at: 5_000,
    headers,
    ...(origin && { origin }),
  })

  it('is the log’s for our own messages, and what a foreign one says, never later than it came', () => {
    const at = (ms: number) => ({ ce_time: new Date(ms).toISOString() })
    assert.equal(eventTimeMs(message(at(1_000), { log: 'l', partition: 0, offset: 1 })), 5_000)
    assert.equal(eventTimeMs(message(at(1_000))), 1_000)
    assert.equal(eventTimeMs(message({ 'ce-time': new Date(2_000).toISOString() })), 2_000)
    assert.equal(eventTimeMs(message(at(9_000))), 5_000)
    assert.equal(eventTimeMs(message({ ce_time: 'soon' })), 5_000)
    assert.equal(eventTimeMs(message({})), 5_000)
  })
})
