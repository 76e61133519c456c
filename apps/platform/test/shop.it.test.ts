import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { openDatabase } from '@headrace/database'
import { untilTrue } from '@headrace/database/testing'
import { answerOf, get, post, type TestPlatform, testPlatform } from './support/platform.ts'
import { type Shop, shopAt } from './support/shop.ts'

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const nobody = '0190a000-0000-7000-8000-00000000dead'

describe('orders and payments over HTTP', { timeout: 240_000 }, () => {
  let platform: TestPlatform
  let url: string
  let shop: Shop

  before(async () => {
    platform = await testPlatform({ only: 'payments,orders,gateway', env: { PAYMENT_TIMEOUT_MS: '6s' } })
    url = platform.at('gateway')
    shop = shopAt(url)
  })
  after(() => platform[Symbol.asyncDispose]())

  const statusIs = (id: unknown, status: string) =>
    untilTrue(`the order is ${status}`, async () => (await shop.orderOf(id)).body['status'] === status, 20_000)

  it('an account is opened once for each user, for a new one where none is named', async () => {
    const made = await answerOf(await fetch(`${url}/payments-api/accounts`, { method: 'POST' }))
    assert.equal(made.status, 201)
    const { id, user_id, balance, created_at, ...rest } = made.body
    assert.deepEqual([balance, rest], [0, {}])
    assert.match(String(id), uuidV7)
    assert.match(String(user_id), uuidV7)
    assert.match(String(created_at), rfc3339)
    const again = await post(`${url}/payments-api/accounts`, { user_id })
    assert.deepEqual([again.status, again.body['code']], [409, 'account_exists'])
    const seen = await get(`${url}/payments-api/accounts/${user_id}`)
    assert.equal(seen.status, 200)
    assert.deepEqual(Object.keys(seen.body), ['id', 'user_id', 'balance', 'created_at', 'updated_at'])
  })

  it('an order of somebody with money is paid, and every page of it agrees', async () => {
    const user = await shop.openAccount()
    const topUp = await shop.topUp(user, 500.25)
    assert.equal(topUp.status, 200)
    assert.deepEqual(Object.keys(topUp.body), ['id', 'user_id', 'balance', 'updated_at'])
    assert.equal(topUp.body['balance'], 500.25)
    const placed = await shop.order(user, 150.5)
    assert.equal(placed.status, 201)
    const { id, createdAt, updatedAt, ...rest } = placed.body
    assert.match(String(id), uuidV7)
    assert.match(String(createdAt), rfc3339)
    assert.match(String(updatedAt), rfc3339)
    const asPlaced = { userID: user, amount: 150.5, currency: 'USD', status: 'created', paymentID: '', errorReason: '' }
    assert.deepEqual(rest, asPlaced)
    await statusIs(id, 'paid')
    const { body: payment } = await shop.paymentOf(id)
    const { transaction_id, created_at, updated_at, ...told } = payment
    const about = { order_id: id, user_id: user, amount: 150.5, currency: 'USD', status: 'completed' }
    assert.deepEqual(told, { id: (await shop.orderOf(id)).body['paymentID'], ...about })
    assert.match(String(transaction_id), uuidV7)
    assert.equal(await shop.balanceOf(user), 349.75)
    const entries = (await shop.entriesOf(user)).map(({ kind, amount, balance_after, order_id, payment_id }) => ({
      kind,
      amount,
      balance_after,
      order_id,
      payment_id,
    }))
    const none = { order_id: undefined, payment_id: undefined }
    assert.deepEqual(entries, [
      { kind: 'payment', amount: -150.5, balance_after: 349.75, order_id: id, payment_id: payment['id'] },
      { kind: 'topup', amount: 500.25, balance_after: 500.25, ...none },
    ])
    const late = await shop.cancel(id)
    assert.deepEqual([late.status, late.body['code']], [409, 'too_late_to_cancel'])
  })

  it('an order without an amount costs from 100.00 to 1000.00', async () => {
    const user = await shop.openAccount()
    const { status, body } = await shop.order(user)
    const amount = Number(body['amount'])
    assert.equal(status, 201)
    assert.ok(amount >= 100 && amount <= 1000 && Math.round(amount * 100) / 100 === amount, String(amount))
  })

  it('an order that waits for money is paid in the moment it arrives', async () => {
    const user = await shop.openAccount()
    const { body: order } = await shop.order(user, 200)
    await statusIs(order['id'], 'payment_pending')
    assert.equal((await shop.paymentOf(order['id'])).body['status'], 'pending')
    assert.equal((await shop.topUp(user, 199.99)).body['balance'], 199.99)
    assert.equal((await shop.topUp(user, 0.02)).body['balance'], 0.01)
    assert.equal((await shop.paymentOf(order['id'])).body['status'], 'completed')
    await statusIs(order['id'], 'paid')
  })

  it('an order whose money never comes fails when its time is up, and money that comes later stays', async () => {
    const user = await shop.openAccount()
    const { body: order } = await shop.order(user, 200)
    await statusIs(order['id'], 'payment_failed')
    assert.equal((await shop.orderOf(order['id'])).body['errorReason'], 'Payment timed out')
    const { body: payment } = await shop.paymentOf(order['id'])
    assert.deepEqual([payment['status'], payment['error_message']], ['failed', 'Payment timed out'])
    assert.equal((await shop.topUp(user, 1_000)).body['balance'], 1_000)
    assert.equal((await shop.cancel(order['id'])).status, 409)
  })

  it('an order that waits can be cancelled; cancelling it again changes nothing', async () => {
    const user = await shop.openAccount()
    const { body: order } = await shop.order(user, 200)
    await statusIs(order['id'], 'payment_pending')
    const cancelled = await shop.cancel(order['id'])
    assert.deepEqual([cancelled.status, cancelled.body['status']], [200, 'cancelled'])
    assert.deepEqual((await shop.cancel(order['id'])).body, cancelled.body)
    await untilTrue(
      'the payment has failed',
      async () => (await shop.paymentOf(order['id'])).body['status'] === 'failed',
    )
    assert.equal((await shop.paymentOf(order['id'])).body['error_message'], 'Order cancelled')
    assert.equal((await shop.topUp(user, 500)).body['balance'], 500)
    assert.equal((await shop.orderOf(order['id'])).body['status'], 'cancelled')
  })

  it('a list begins with the newest and links its next page', async () => {
    const user = await shop.openAccount()
    assert.deepEqual(await shop.ordersOf(user), [])
    assert.deepEqual(await shop.ordersOf('not-a-uuid'), [])
    const ids: unknown[] = []
    for (let index = 0; index < 5; index += 1) ids.unshift((await shop.order(user, 1 + index)).body['id'])
    const seen: unknown[] = []
    let next: string | undefined = `/orders-api/orders/user/${user}?limit=2`
    while (next !== undefined) {
      const answer: Response = await fetch(`${url}${next}`)
      for (const { id } of (await answer.json()) as { id: string }[]) seen.push(id)
      next = /^<(.*)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1]
    }
    assert.deepEqual(seen, ids)
    for (const query of ['limit=0', 'limit=201', 'limit=x', 'cursor=x', 'cursor=']) {
      assert.equal((await get(`${url}/orders-api/orders/user/${user}?${query}`)).status, 400, query)
      assert.equal((await get(`${url}/payments-api/accounts/${user}/entries?${query}`)).status, 400, query)
    }
  })

  it('entries go on behind their cursor', async () => {
    const user = await shop.openAccount()
    for (let index = 1; index <= 5; index += 1) await shop.topUp(user, index)
    const amounts: number[] = []
    let cursor = ''
    for (let page = 0; page < 3; page += 1) {
      const { body } = await get(`${url}/payments-api/accounts/${user}/entries?limit=2${cursor}`)
      for (const { amount } of body['entries'] as { amount: number }[]) amounts.push(amount)
      cursor = `&cursor=${body['next_cursor']}`
      assert.equal(body['next_cursor'] !== undefined, page < 2)
    }
    assert.deepEqual(amounts, [5, 4, 3, 2, 1])
  })

  it('what is no amount changes nothing, and is told by its name', async () => {
    const user = await shop.openAccount()
    for (const amount of [0, -1, 0.001, 10.005, 1e308, 1_000_000.01, 1e-7, '5', null, true, [], {}]) {
      for (const answer of [await shop.topUp(user, amount), await shop.order(user, amount)]) {
        assert.deepEqual([answer.status, answer.body['code']], [400, 'invalid_request'], JSON.stringify(amount))
        assert.match(String(answer.body['detail']), /amount/)
      }
    }
    for (const text of ['{"amount":NaN}', '{"amount":1e999}', '{"amount":}', '{}', '[]', '']) {
      assert.equal((await post(`${url}/payments-api/accounts/${user}/topup`, text)).status, 400, text)
    }
    assert.equal(await shop.balanceOf(user), 0)
    assert.deepEqual(await shop.ordersOf(user), [])
    assert.equal((await shop.topUp(user, 1_000_000)).status, 200)
  })

  it('unknown and malformed ids are not found, or are refused where a body or query names them', async () => {
    for (const id of [nobody, 'x', '1', "' or 1=1--", '%00']) {
      const path = id === '%00' ? id : encodeURIComponent(id)
      const answers = [
        await shop.orderOf(path),
        await shop.cancel(path),
        await shop.paymentOf(path),
        await get(`${url}/payments-api/accounts/${path}`),
        await get(`${url}/payments-api/accounts/${path}/entries`),
        await shop.topUp(path, 5),
      ]
      for (const { status } of answers)
        assert.ok(status === 404 || (id === '%00' && status === 400), `${id}: ${status}`)
    }
    assert.equal((await shop.order(nobody, 5)).status, 404)
    for (const user of ['x', '', 5, null]) {
      assert.equal((await post(`${url}/orders-api/orders`, { user_id: user })).status, 400)
      assert.equal((await post(`${url}/payments-api/accounts`, { user_id: user })).status, 400)
    }
    assert.equal((await post(`${url}/orders-api/orders`, {})).status, 400)
  })

  it('a stream from an event that has not happened, or that is no number, is refused, and so is one of nobody', async () => {
    const user = await shop.openAccount()
    await shop.order(user, 5)
    for (const id of ['99', 'x', '-1', '1.5', '']) {
      const stream = `${url}/orders-api/orders/stream?user_id=${user}`
      const byHeader = await answerOf(await fetch(stream, { headers: { 'last-event-id': id } }))
      for (const { status, body } of [byHeader, await get(`${stream}&last_event_id=${id}`)])
        assert.deepEqual([status, body['code']], [400, 'invalid_event_id'], `id '${id}'`)
    }
    for (const query of ['', '?user_id=', '?user_id=x'])
      assert.equal((await get(`${url}/orders-api/orders/stream${query}`)).status, 400, query)
  })

  it('an id in capitals is the same id', async () => {
    const user = await shop.openAccount('0190A000-ABCD-7000-8000-00000000BEEF')
    assert.equal(user, '0190a000-abcd-7000-8000-00000000beef')
    assert.equal((await shop.topUp(user.toUpperCase(), 5)).status, 200)
    const { body } = await shop.order(user.toUpperCase(), 5)
    assert.equal((await shop.orderOf(String(body['id']).toUpperCase())).body['userID'], user)
  })

  it('says that it serves, and where it is described', async () => {
    for (const api of ['orders-api', 'payments-api']) {
      assert.deepEqual((await get(`${url}/${api}/info`)).body, { status: 'OK' })
      const docs = await fetch(`${url}/${api}/docs`)
      assert.equal(docs.status, 200)
      assert.match(await docs.text(), /<html/)
    }
    const { paths } = (await get(`${url}/openapi.json`)).body as { paths: object }
    for (const path of ['/orders-api/orders', '/payments-api/accounts/{user_id}/topup']) assert.ok(path in paths, path)
  })

  it('requests beyond a thousand in flight are refused, and taken again when those are answered', async () => {
    await using database = openDatabase({ url: platform.databaseUrl, maxConnections: 1, idleInTransactionMs: 60_000 })
    const paths = {
      'orders.customer_order': `/orders-api/orders/${nobody}`,
      'payments.account': `/payments-api/accounts/${nobody}`,
    }
    for (const [table, path] of Object.entries(paths)) {
      const { hostname, port } = new URL(url)
      const crowd = connect(Number(port), hostname)
      const code = async () => {
        const signal = AbortSignal.timeout(200)
        const answer = await fetch(`${url}${path}`, { signal }).then(answerOf, () => undefined)
        return answer?.body['code']
      }
      await database.inTransaction(async (tx) => {
        await tx.query({ text: `lock table ${table}` })
        await untilTrue(`one more to ${path} is refused`, async () => {
          crowd.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(1000))
          return (await code()) === 'queue_full'
        })
      })
      await untilTrue(`${path} answers again`, async () => (await code()) === 'not_found')
      crowd.destroy()
    }
  })
})
