import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { it } from 'node:test'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { chromium, type Page } from 'playwright-core'
import { testRedis } from '../../tools/services/testing.ts'
import { startCuttingProxy } from '../support/cutting-proxy.ts'
import { freePorts, type Headrace, startHeadrace } from '../support/headrace.ts'

interface Order {
  readonly id: string
  readonly status: string
}

interface Seen extends Order {
  readonly eventId: number
}

const chromiumPath = '/usr/bin/chromium'

/** What a page notes of its stream. */
const pageText = (streamUrl: string) => `<!doctype html><title>orders</title><ul id="orders"></ul><script>
  const seen = []
  const source = new EventSource(${JSON.stringify(streamUrl)})
  let opened = 0
  source.addEventListener('connected', () => { opened += 1 })
  source.addEventListener('order-update', ({ lastEventId, data }) => {
    const { id, status } = JSON.parse(data)
    seen.push({ eventId: Number(lastEventId), id, status })
  })
</script>`

it('a browser whose stream is cut again and again, and whose replica is killed, shows every state once', {
  timeout: 240_000,
  skip: existsSync(chromiumPath) ? false : `there is no ${chromiumPath}`,
}, async () => {
  await using shop = await startShop()
  const userId = await shop.openAccount()
  // From nothing at all to some events, so that cuts fall everywhere.
  await using proxy = await startCuttingProxy(shop.url, (n) => (n * 617) % 2_300)
  await using page = await openPage(`${proxy.url}/orders-api/orders/stream?user_id=${userId}`)
  await untilTrue('the page is connected', async () => (await page.opened()) > 0, 60_000)
  await shop.topUp(userId, 600)
  const orders: Order[] = []
  for (let n = 0; n < 12; n += 1) {
    orders.push(await shop.placeOrder(userId, 100))
    if (n === 4) await shop.killOrders(0)
    if (n === 8) await shop.startOrders(0)
  }
  await untilTrue('half of the orders wait for money', () => shop.count(userId, 'payment_pending', 6), 60_000)
  await shop.topUp(userId, 600)
  await untilTrue('all orders are paid', () => shop.count(userId, 'paid', 12), 60_000)
  await untilTrue('the page shows all of them as paid', async () => paidIn(await page.seen()) === 12, 60_000)

  const seen = await page.seen()
  assert.deepEqual(
    seen.map(({ eventId }) => eventId),
    seen.map((_, index) => index + 1),
    'ids are 1 to n',
  )
  const states = seen.map(({ id, status }) => `${id} ${status}`)
  assert.equal(new Set(states).size, states.length, 'no state was shown twice')
  for (const { id } of orders) assert.equal(states.filter((state) => state === `${id} created`).length, 1)
  assert.ok((await page.opened()) > 5, 'the stream was cut again and again')
})

function paidIn(seen: readonly Seen[]): number {
  return seen.filter(({ status }) => status === 'paid').length
}

/** Gateway, payments and two replicas of orders, each in a process of its own, over PostgreSQL and Redis. */
async function startShop() {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(await testDatabase({ name: 'system' }))
  const [api = 0, payments = 0, one = 0, other = 0] = await freePorts(4)
  const url = (port: number) => `http://127.0.0.1:${port}`
  const off = { INGEST_PORT: 'off', PROCESSOR_PORT: 'off', CALCULATOR_PORT: 'off', CONSOLE_PORT: 'off' }
  const shared = {
    ...off,
    DATABASE_URL: database.url,
    REDIS_ADDR: await testRedis(),
    INTERNAL_PORT: '0',
    API_PORT: String(api),
    ORDERS_URL: [one, other].map(url).join(),
    PAYMENTS_URL: url(payments),
    PAYMENT_TIMEOUT_MS: '120000',
  }
  const start = (only: string, port: number) =>
    startHeadrace({
      args: ['--only', only],
      url: url(port),
      environment: { ...shared, PORT: String(port) },
      deadlineMs: 120_000,
    })
  stack.use(await start('payments', payments))
  const orders: Headrace[] = await Promise.all([one, other].map((port) => start('orders', port)))
  stack.defer(async () => void (await Promise.all(orders.map((process) => process.stop()))))
  stack.use(await start('gateway', api))
  const parts = stack.move()
  const call = caller(url(api))
  return {
    url: url(api),
    killOrders: async (replica: number) => await orders[replica]?.kill(),
    async startOrders(replica: number) {
      orders[replica] = await start('orders', [one, other][replica] ?? 0)
    },
    openAccount: async () => (await call<{ user_id: string }>('POST', '/payments-api/accounts')).user_id,
    topUp: (userId: string, amount: number) => call('POST', `/payments-api/accounts/${userId}/topup`, { amount }),
    placeOrder: (userId: string, amount: number) =>
      call<Order>('POST', '/orders-api/orders', { user_id: userId, amount }),
    async count(userId: string, status: string, expected: number) {
      const orders = await call<Order[]>('GET', `/orders-api/orders/user/${userId}`)
      return orders.filter((order) => order.status === status).length === expected
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

/** Calls with an Idempotency-Key until the answer is one: a replica may die amid a request. */
function caller(url: string) {
  let keys = 0
  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    keys += 1
    const headers = {
      'idempotency-key': `key-${keys}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    const sent = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
    let answered: T | undefined
    await untilTrue(
      `${method} ${path} is answered`,
      async () => {
        const answer = await fetch(`${url}${path}`, sent)
        if (!answer.ok && answer.status !== 409 && answer.status !== 503) {
          throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
        }
        if (answer.ok) answered = (await answer.json()) as T // the contract's shape
        return answer.ok
      },
      60_000,
    )
    return answered as T // set, or it would have been thrown
  }
}

/** A page on another origin than the stream's. */
async function openPage(streamUrl: string) {
  await using stack = new AsyncDisposableStack()
  const server = createServer((_request, answer) =>
    answer.writeHead(200, { 'content-type': 'text/html' }).end(pageText(streamUrl)),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] })
  stack.defer(() => browser.close())
  const page: Page = await browser.newPage()
  const address = server.address()
  await page.goto(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`)
  const parts = stack.move()
  return {
    seen: () => page.evaluate<Seen[]>('seen'),
    opened: () => page.evaluate<number>('opened'),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}
