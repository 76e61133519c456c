import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Database, openDatabase } from '@headrace/database'
import { testDatabase, testServer, untilTrue } from '@headrace/database/testing'
import { auditPayments } from '@headrace/payments/module'
import { hasCaughtUp } from '../../apps/platform/src/audit/caught-up.ts'
import { auditLog } from '../../apps/platform/src/audit/log.ts'
import { auditShop, type ShopDatabases } from '../../apps/platform/src/audit/shop.ts'
import { testPlatform } from '../../apps/platform/test/support/platform.ts'
import { startProxy } from '../../packages/database/test/support/proxy.ts'
import { freePorts, type Headrace, startHeadrace } from '../support/headrace.ts'
import { startCopies } from '../support/message-copies.ts'
import { customers } from '../support/shop-customers.ts'

/** Every fault point that the shop passes: where the replica in a process of its own dies, one after the other. */
const deaths = {
  'one database': [
    'takeover.before-commit=kill',
    'effect.before-commit=kill@4',
    'batch.before-open=kill@3',
    'batch.after-commit=kill@5',
    'deadline.before-commit=kill',
  ],
  'two databases': [
    'takeover.after-commit=kill',
    'effect.after-commit=kill@4',
    'batch.after-open=kill@3',
    'batch.before-commit=kill@5',
    'deadline.after-commit=kill',
  ],
} as const

/** Time in ms for a replica to reach its fault. */
const patienceMs = 60_000

describe('the bank', () => {
  for (const databases of ['one database', 'two databases'] as const) {
    it(`loses and makes no cent on ${databases}, whoever dies, the server too, and whatever comes twice`, {
      timeout: 300_000,
    }, async (t) => {
      await using server = await testServer()
      await using one = await testDatabase({ name: 'bank', server: server.url })
      await using other = await testDatabase({ name: 'bank', server: server.url })
      const places = { orders: one.url, payments: databases === 'one database' ? one.url : other.url }
      await using ordersProxy = await startProxy(places.orders)
      await using paymentsProxy = await startProxy(places.payments)
      const steady = environment(places)
      await using first = await testPlatform({ only: 'payments,orders', env: steady })
      const cut = databases === 'one database' ? ordersProxy : paymentsProxy
      const cutUrls = { orders: ordersProxy.url, payments: cut.url }
      await using second = await testPlatform({ only: 'payments,orders', env: environment(cutUrls) })
      await using _orderCopies = await startCopies(places.orders, ['orders-events'])
      await using _paymentCopies = await startCopies(places.payments, ['payments-events'])
      for (const proxy of [ordersProxy, paymentsProxy]) proxy.fate = cutsSome()

      const alive: string[] = [first.at('public'), second.at('public')]
      const people = await customers({ urls: () => alive, users: 6, pauseMs: 30 })
      const closing = new AbortController()
      const crash = () => server.kill().then(() => server.restart())
      const dying = dieOneByOne({ faults: deaths[databases], env: steady, alive, crash }).finally(() => closing.abort())
      await people.shop(closing.signal)
      await dying
      for (const proxy of [ordersProxy, paymentsProxy]) proxy.fate = () => 'pass'

      await using orders = openDatabase({ url: places.orders, maxConnections: 2 })
      await using payments = openDatabase({ url: places.payments, maxConnections: 2 })
      await everythingIsOver(orders)
      const messages = await everythingCameTwice({ orders, payments })
      t.diagnostic(`${people.orders.size} orders, ${messages} messages`)
      await requireConserved({ orders, payments }, people)
    })
  }
})

function environment({ orders, payments }: { readonly orders: string; readonly payments: string }) {
  return {
    DATABASE_URL: orders,
    PAYMENTS_DATABASE_URL: payments,
    PAYMENT_TIMEOUT_MS: '1500',
    DATABASE_POOL_MAX: '5',
    INGEST_PORT: 'off',
  }
}

/** One commit in fifty: its answer is lost, or it never arrives. */
function cutsSome() {
  return (statement: string) => {
    if (statement !== 'commit' || Math.random() > 0.02) return 'pass'
    return Math.random() < 0.5 ? 'cut-answer' : 'cut'
  }
}

interface Dying {
  readonly faults: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Where the shop is served now. */
  readonly alive: string[]
  /** Lets the database server crash, and starts it again. */
  readonly crash: () => Promise<void>
}

/** A replica in a process of its own dies at each fault in turn; before some of them, the server under all of them. */
async function dieOneByOne({ faults, env, alive, crash }: Dying): Promise<void> {
  for (const [index, fault] of faults.entries()) {
    const [port = 0] = await freePorts(1)
    const url = `http://127.0.0.1:${port}`
    const ports = { PORT: String(port), INTERNAL_PORT: '0' }
    const environment = { ...env, ...ports, HEADRACE_FAULTS: fault }
    const options = { environment, args: ['--only', 'payments,orders'], url, deadlineMs: patienceMs }
    // It may die before it is ready: taking over and deadlines do not wait for that.
    const replica = await startHeadrace(options).catch((error: unknown) => {
      if (!String(error).includes('fault point')) throw error
    })
    if (index % 2 === 1) await crash()
    if (replica !== undefined) await servesUntilItDies(replica, alive, fault)
  }
}

async function servesUntilItDies(replica: Headrace, alive: string[], fault: string): Promise<void> {
  alive.push(replica.url)
  const given = new AbortController()
  const late = delay(patienceMs, 'late', { signal: given.signal })
  late.catch(() => {})
  const how = await Promise.race([replica.ended, late])
  given.abort()
  await replica.kill()
  alive.splice(alive.indexOf(replica.url), 1)
  assert.notEqual(how, 'late', `it did not die at ${fault}`)
}

async function everythingIsOver(orders: Database): Promise<void> {
  await untilTrue(
    'every order has come to its end',
    async () => {
      const { rows } = await orders.query<{ open: number }>({
        text: `select count(*) as open from orders.customer_order where status in ('created', 'payment_pending')`,
      })
      return rows[0]?.open === 0
    },
    60_000,
  )
}

/** Waits until each message was appended a second time and everything is handled; returns how many there were. */
async function everythingCameTwice({ orders, payments }: ShopDatabases): Promise<number> {
  const hops = [
    { producer: orders, consumer: payments, topic: 'orders-events' },
    { producer: payments, consumer: orders, topic: 'payments-events' },
  ]
  let messages = 0
  for (const { producer, consumer, topic } of hops) {
    const count = async () => {
      const { rows } = await producer.query<{ once: number; all: number }>({
        text: `select count(*) filter (where copies = 0) as once, count(*) as all from (
                 select count(*) filter (where headers like '%"copy"%') as copies
                 from headrace.log where topic = $1 group by message_id) as message`,
        values: [topic],
      })
      return rows[0] ?? { once: 0, all: 0 }
    }
    await untilTrue(`all of ${topic} have come twice`, async () => (await count()).once === 0, 60_000)
    await untilTrue(`all of ${topic} are handled`, () => hasCaughtUp({ producer, consumer, topic }), 60_000)
    messages += (await count()).all
  }
  return messages
}

async function requireConserved(
  { orders, payments }: ShopDatabases,
  people: Awaited<ReturnType<typeof customers>>,
): Promise<void> {
  const rules = [
    ...(await auditPayments(payments)),
    ...(await auditShop({ orders, payments }, 30_000)),
    ...(await auditLog(orders)),
    ...(await auditLog(payments)),
  ]
  for (const { rule, wrong } of rules) assert.deepEqual(wrong, [], rule)
  const { rows: topUps } = await payments.query<{ user_id: string; sum: number }>({
    text: `select user_id, sum(amount_minor)::bigint as sum from payments.entry
           where kind = 'topup' and user_id is not null group by 1`,
  })
  const sums = new Map(topUps.map(({ user_id, sum }) => [user_id, sum]))
  for (const [user, minor] of people.toppedUpMinor) assert.equal(sums.get(user) ?? 0, minor, `top-ups of ${user}`)
  const { rows } = await orders.query<{ id: string }>({ text: 'select id from orders.customer_order' })
  assert.deepEqual(new Set(rows.map(({ id }) => id)), people.orders)
}
