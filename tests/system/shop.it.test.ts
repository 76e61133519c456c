import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openDatabase } from '@headrace/database'
import { untilTrue } from '@headrace/database/testing'
import { auditPayments } from '@headrace/payments/module'
import { auditShop } from '../../apps/platform/src/audit/shop.ts'
import { type Answer, answerOf } from '../../apps/platform/test/support/platform.ts'
import { type Shop, shopAt } from '../../apps/platform/test/support/shop.ts'
import { followOrders } from '../support/order-stream.ts'
import { type ShopShape, type ShopTopology, startShop } from '../support/shop-topology.ts'

/** Every carrier, one database and two, and one to three replicas, in as few processes as that takes. */
const shapes: Readonly<Record<string, ShopShape>> = {
  'one process': { replicas: 0 },
  'five processes over two databases': { replicas: 2, isDivided: true },
  'seven processes over Kafka, Redis and two databases': { replicas: 3, isDivided: true, carrier: 'kafka' },
  'three processes over NATS, Redis and one database': { replicas: 1, carrier: 'nats' },
}
const timeoutMs = 8_000
/** Generous: only reached where something is wrong. */
const patienceMs = 120_000

for (const [name, shape] of Object.entries(shapes)) {
  describe(`the shop in ${name}`, { timeout: 600_000 }, () => {
    let topology: ShopTopology
    let shop: Shop

    before(async () => {
      topology = await startShop(shape, { settings: { PAYMENT_TIMEOUT_MS: String(timeoutMs) } })
      shop = shopAt(topology.url)
    })
    after(() => topology[Symbol.asyncDispose]())

    const statusIs = (id: unknown, status: string) =>
      untilTrue(`the order is ${status}`, async () => (await shop.orderOf(id)).body['status'] === status, patienceMs)

    it('shows an order’s way to its user, numbered without holes', async () => {
      const user = await shop.openAccount()
      await using stream = followOrders(topology.url, user)
      await shop.topUp(user, 100)
      const paid = (await shop.order(user, 60)).body['id']
      await statusIs(paid, 'paid')
      const waiting = (await shop.order(user, 50)).body['id']
      await statusIs(waiting, 'payment_pending')
      await shop.topUp(user, 10)
      await statusIs(waiting, 'paid')
      await untilTrue('the stream has shown it', () => stream.events.length >= 5, patienceMs)
      const shown = stream.events.map(({ id, order }) => [id, order.id, order.status])
      assert.deepEqual(shown, [
        [1, paid, 'created'],
        [2, paid, 'paid'],
        [3, waiting, 'created'],
        [4, waiting, 'payment_pending'],
        [5, waiting, 'paid'],
      ])
    })

    it('of 100 orders at once pays the 37 that the balance pays for, and the others time out, whoever is killed', async () => {
      const user = await shop.openAccount()
      await shop.topUp(user, 370)
      await using stream = followOrders(topology.url, user)
      const placing = Array.from({ length: 100 }, (_, index) => untilPlaced(shop, user, `order-${index}`))
      const killed = shape.replicas === 0 ? ['headrace'] : ['orders-1', `payments-${shape.replicas}`]
      const ids = await Promise.all(placing)
      await Promise.all(killed.map(topology.kill))
      await Promise.all(killed.map(topology.start))
      await untilTrue(
        'all orders are over',
        async () => (await shop.ordersOf(user)).every(({ status }) => ['paid', 'payment_failed'].includes(status)),
        patienceMs,
      )
      const orders = await shop.ordersOf(user)
      assert.deepEqual(new Set(orders.map(({ id }) => id)), new Set(ids))
      const paid = orders.filter(({ status }) => status === 'paid')
      assert.equal(paid.length, 37)
      for (const { status, errorReason } of orders)
        assert.equal(errorReason, status === 'paid' ? '' : 'Payment timed out')
      assert.equal(await shop.balanceOf(user), 0)
      assert.equal((await shop.entriesOf(user)).length, 38)
      const over = () => stream.events.filter(({ order }) => ['paid', 'payment_failed'].includes(order.status)).length
      await untilTrue('the stream has shown every end', () => over() === 100, patienceMs)
      const numbers = stream.events.map(({ id }) => id)
      assert.deepEqual(
        numbers,
        numbers.map((_, index) => index + 1),
      )
    })

    it('takes each of equal requests at once for one', async () => {
      const equal = 8
      const user = '0190a000-1111-7000-8000-000000000001'
      const headers = (key: string) => ({ 'idempotency-key': key, 'content-type': 'application/json' })
      const times = async (key: string, path: string, body: unknown): Promise<Answer> => {
        const sent = { method: 'POST', headers: headers(key), body: JSON.stringify(body) }
        const answers = await Promise.all(Array.from({ length: equal }, () => final(`${topology.url}${path}`, sent)))
        for (const answer of answers) assert.deepEqual(answer.body, answers[0]?.body, key)
        return answers[0] ?? assert.fail()
      }
      assert.equal((await times('open', '/payments-api/accounts', { user_id: user })).status, 201)
      assert.equal((await times('topup', `/payments-api/accounts/${user}/topup`, { amount: 5 })).body['balance'], 5)
      const placed = await times('order', '/orders-api/orders', { user_id: user, amount: 7 })
      assert.equal(placed.status, 201)
      const cancelled = await times('cancel', `/orders-api/orders/${placed.body['id']}/cancel`, {})
      assert.equal(cancelled.body['status'], 'cancelled')
      assert.equal((await shop.ordersOf(user)).length, 1)
      assert.equal((await shop.entriesOf(user)).length, 1)
      const reused = await shop.topUp(user, 6, headers('topup'))
      assert.deepEqual([reused.status, reused.body['code']], [422, 'idempotency_key_reused'])
    })

    if (shape.replicas > 0) {
      it('takes orders while payments are away, and has them paid when they are back', async () => {
        const user = await shop.openAccount()
        await shop.topUp(user, 10)
        const payments = topology.processes.filter((process) => process.startsWith('payments-'))
        await Promise.all(payments.map(topology.kill))
        const known = await shop.order(user, 10)
        const unknown = await shop.order('0190a000-2222-7000-8000-000000000001', 10)
        assert.deepEqual([known.status, unknown.status], [201, 201])
        await Promise.all(payments.map(topology.start))
        await statusIs(known.body['id'], 'paid')
        await statusIs(unknown.body['id'], 'payment_failed')
        assert.equal((await shop.orderOf(unknown.body['id'])).body['errorReason'], 'Account not found')
      })
    }

    it('has all its books in order', async () => {
      const urls = await topology.databaseUrls()
      await using orders = openDatabase({ url: urls.orders, maxConnections: 1 })
      await using payments = openDatabase({ url: urls.payments, maxConnections: 1 })
      const rules = [...(await auditPayments(payments)), ...(await auditShop({ orders, payments }, 30_000))]
      for (const { rule, wrong } of rules) assert.deepEqual(wrong, [], rule)
    })
  })
}

/** Repeats with the same key until it is clear that the order is placed. */
async function untilPlaced(shop: Shop, user: string, key: string): Promise<unknown> {
  for (;;) {
    const answer = await shop.order(user, 10, { 'idempotency-key': key }).catch(() => undefined)
    if (answer?.status === 201) return answer.body['id']
    const isOpen = answer === undefined || [409, 503].includes(answer.status)
    assert.ok(isOpen, `${answer?.status} ${answer?.body['detail']}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Repeats while a twin is running. */
async function final(url: string, sent: RequestInit): Promise<Answer> {
  const answer = await answerOf(await fetch(url, sent))
  if (answer.body['code'] !== 'idempotency_key_in_progress') return answer
  await new Promise((resolve) => setTimeout(resolve, 20))
  return final(url, sent)
}
