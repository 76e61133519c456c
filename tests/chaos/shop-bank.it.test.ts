import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Database, openDatabase } from '@headrace/database'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { auditPayments } from '@headrace/payments/module'
import { auditLog } from '../../apps/platform/src/audit/log.ts'
import { auditShop } from '../../apps/platform/src/audit/shop.ts'
import { testPlatform } from '../../apps/platform/test/support/platform.ts'
import { startProxy } from '../../packages/database/test/support/proxy.ts'
import { freePorts, type Headrace, startHeadrace } from '../support/headrace.ts'
import { startCopies } from '../support/message-copies.ts'
import { customers } from '../support/shop-customers.ts'

/** Where the replica in a process of its own dies, one after the other, by where orders and payments are. */
const deaths = {
  'one database': [
    'effect.before-commit=kill@4',
    'batch.after-open=kill@3',
    'batch.after-commit=kill@5',
    'deadline.before-commit=kill',
  ],
  'two databases': [
    'effect.after-commit=kill@4',
    'batch.before-commit=kill@5',
    'batch.after-commit=kill@5',
    'deadline.after-commit=kill',
  ],
} as const

/** Time in ms for a replica to reach its fault; then it is killed where it is. */
const patienceMs = 5_000

describe('the bank', () => {
  for (const databases of ['one database', 'two databases'] as const) {
    it(`loses and makes no cent on ${databases}, whoever dies and whatever comes twice`, {
      timeout: 300_000,
    }, async (t) => {
      await using one = await testDatabase({ name: 'bank' })
      await using other = await testDatabase({ name: 'bank' })
      const places = { orders: one.url, payments: databases === 'one database' ? one.url : other.url }
      await using ordersProxy = await startProxy(places.orders)
      await using paymentsProxy = await startProxy(places.payments)
      const steady = environment(places)
      await using first = await testPlatform({ only: 'payments,orders', env: steady })
      const cut = databases === 'one database' ? ordersProxy : paymentsProxy
      const cutUrls = { orders: ordersProxy.url, payments: cut.url }
      await using second = await testPlatform({ only: 'payments,orders', env: environment(cutUrls) })
      await using _copies = await startCopies(places.orders, ['orders-events'])
      await using copies = await startCopies(places.payments, ['payments-events'])
      for (const proxy of [ordersProxy, paymentsProxy]) proxy.fate = cutsSome()

      const alive: string[] = [first.at('public'), second.at('public')]
      const people = await customers({ urls: () => alive, users: 6, pauseMs: 30 })
      const closing = new AbortController()
      const dying = dieOneByOne(deaths[databases], steady, alive).finally(() => closing.abort())
      await people.shop(closing.signal)
      const died = await dying
      for (const proxy of [ordersProxy, paymentsProxy]) proxy.fate = () => 'pass'

      await using orders = openDatabase({ url: places.orders, maxConnections: 2 })
      await using payments = openDatabase({ url: places.payments, maxConnections: 2 })
      await everythingIsOver(orders)
      t.diagnostic(`${people.orders.size} orders, ${copies.count} copies, died at ${died.join(', ')}`)
      await requireConserved({ orders, payments }, people)
      assert.ok(died.filter((how) => how !== 'anywhere').length >= 2, `died at ${died}`)
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

/** A replica in a process of its own that dies at each fault in turn; says where it really died. */
async function dieOneByOne(
  faults: readonly string[],
  env: Readonly<Record<string, string>>,
  alive: string[],
): Promise<string[]> {
  const died: string[] = []
  for (const fault of faults) {
    const [port = 0] = await freePorts(1)
    const url = `http://127.0.0.1:${port}`
    const ports = { PORT: String(port), INTERNAL_PORT: '0' }
    const options = {
      environment: { ...env, ...ports, HEADRACE_FAULTS: fault },
      args: ['--only', 'payments,orders'],
      url,
    }
    // It may die before it is ready: deadlines do not wait for that.
    const replica = await startHeadrace(options).catch((error: unknown) => {
      if (!String(error).includes('fault point')) throw error
    })
    const isOver = replica === undefined || (await livesAndDies(replica, url, alive))
    died.push(isOver ? fault : 'anywhere')
  }
  return died
}

/** Serves until it dies at its fault, which is true, or is killed for being late. */
async function livesAndDies(replica: Headrace, url: string, alive: string[]): Promise<boolean> {
  alive.push(url)
  const isOver = await Promise.race([replica.ended.then(() => true), delay(patienceMs, false)])
  if (!isOver) await replica.kill()
  alive.splice(alive.indexOf(url), 1)
  return isOver
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

async function requireConserved(
  { orders, payments }: { readonly orders: Database; readonly payments: Database },
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
