import { setTimeout as delay } from 'node:timers/promises'
import { type LiveOrder, watchOrders } from './watch-orders.ts'

/** Longest time in ms until an order stands as it should: a payment that waits has 15 s by default. */
const patienceMs = 30_000

/** Plays a customer's day at the shop and prints it. Throws when something does not become what it should. */
export async function demonstrate(url: string, print: (line: string) => void): Promise<void> {
  const say = (what: string) => print(`\n${what}`)
  const { user_id: user } = await call(url, 'POST', '/payments-api/accounts', {})
  say(`An account for user ${user}. From here on indented lines are what the live stream shows.`)
  const seen = new Map<string, LiveOrder>()
  await using _stream = await watchOrders(url, String(user), (id, order) => {
    seen.set(order.id, order)
    const why = order.errorReason === '' ? '' : ` (${order.errorReason})`
    print(`    event ${id}: order ${order.id.slice(-6)} over ${order.amount.toFixed(2)} is ${order.status}${why}`)
  })
  const topUp = async (amount: number) => {
    const { balance } = await call(url, 'POST', `/payments-api/accounts/${user}/topup`, { amount })
    print(`  the balance is ${balance}`)
  }
  const order = async (amount: number) =>
    (await call(url, 'POST', '/orders-api/orders', { user_id: user, amount }))['id']
  const until = (id: unknown, status: string) => untilIt(seen, String(id), status)

  say('200.00 are put on it.')
  await topUp(200)
  say('An order over 150.50: there is money, it is paid at once.')
  await until(await order(150.5), 'paid')
  say('An order over 100.00: only 49.50 are left, it waits …')
  const waiting = await order(100)
  await until(waiting, 'payment_pending')
  say('… until 60.00 come in; what is left then is answered.')
  await topUp(60)
  await until(waiting, 'paid')
  say('An order over 999.99 that is cancelled in time.')
  const regretted = await order(999.99)
  await call(url, 'POST', `/orders-api/orders/${regretted}/cancel`, {})
  await until(regretted, 'cancelled')
  say('One more, whose money never comes: it fails when its time is up.')
  await until(await order(999.99), 'payment_failed')
  say('Every movement of money, newest first:')
  const { entries } = await call(url, 'GET', `/payments-api/accounts/${user}/entries`)
  for (const entry of entries as readonly Entry[]) {
    const amount = entry.amount.toFixed(2).padStart(9)
    print(`  ${entry.kind.padEnd(8)} ${amount}  → ${entry.balance_after.toFixed(2).padStart(8)}`)
  }
}

interface Entry {
  readonly kind: string
  readonly amount: number
  readonly balance_after: number
}

async function untilIt(seen: ReadonlyMap<string, LiveOrder>, id: string, status: string): Promise<void> {
  for (const since = performance.now(); seen.get(id)?.status !== status; await delay(10)) {
    if (performance.now() - since > patienceMs) throw new Error(`order ${id} did not become ${status} on the stream`)
  }
}

async function call(url: string, method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' }
  const sent = method === 'GET' ? {} : { headers, body: JSON.stringify(body) }
  const answer = await fetch(`${url}${path}`, { method, ...sent })
  const said = (await answer.json()) as Record<string, unknown>
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${said['detail']}`)
  return said
}
