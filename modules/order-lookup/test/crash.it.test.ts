import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Database } from '@headrace/database'
import { untilTrue } from '@headrace/database/testing'
import { queueStatus } from '@headrace/inbox'
import { testStation } from '@headrace/station/testing'
import type { Order } from '../src/contract.ts'
import { orderLookupMigrations } from '../src/module.ts'
import { listOrders } from '../src/store/read-orders.ts'
import { orderNumber, ordersMessage, rubbish } from './support/orders.ts'

const ordersInAll = 10_000
const deadlineMs = 180_000
const script = fileURLToPath(new URL('./fixtures/replica.ts', import.meta.url))

async function startReplicaProcess(url: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [script, url], { stdio: ['pipe', 'pipe', 'inherit'] })
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

describe('order lookup whose process is killed', { timeout: 300_000 }, () => {
  it('in the midst of 10 000 orders stores exactly the valid ones, equal field by field', async () => {
    await using station = await testStation({ migrations: [orderLookupMigrations] })
    const { database, log } = station
    await log.declareTopic('orders')
    const bad = rubbish()
    for (let from = 0; from < ordersInAll; from += 500) {
      await log.inTransaction((tx) => {
        for (let n = from; n < from + 500; n += 1) tx.append(ordersMessage(orderNumber(n)))
        // Between good ones, with a good one's key.
        const [body = ''] = bad[(from / 500) % bad.length] ?? []
        tx.append(ordersMessage(orderNumber(from), { id: `bad-${from}`, body }))
      })
    }
    for (const killAt of [1_000, 4_000, 7_000]) {
      const child = await startReplicaProcess(station.url)
      await untilTrue(`${killAt} orders are stored`, async () => (await countOrders(database)) >= killAt, deadlineMs)
      await kill(child)
      assert.ok((await countOrders(database)) < ordersInAll, 'it was killed in the midst of them')
    }
    const last = await startReplicaProcess(station.url)
    const isDone = async () => {
      const status = (await queueStatus(database)).find(({ group }) => group === 'order-lookup')
      return status?.lag === 0 && status.queued === 0
    }
    await untilTrue('all are consumed', isDone, deadlineMs)
    await kill(last)

    const stored = await allOrders(database)
    assert.equal(stored.size, ordersInAll)
    for (let n = 0; n < ordersInAll; n += 1) assert.deepEqual(stored.get(`order-${n}`), orderNumber(n))
    const [status] = await queueStatus(database)
    assert.equal(status?.dead, ordersInAll / 500)
  })
})

async function countOrders(database: Database): Promise<number> {
  const { rows } = await database.query<{ count: number }>({
    text: 'select count(*)::int as count from order_lookup.orders',
  })
  return rows[0]?.count ?? 0
}

async function allOrders(database: Database): Promise<Map<string, Order>> {
  const all = new Map<string, Order>()
  for (let after: { atMs: number; id: string } | undefined; ; ) {
    const page = await listOrders(database, { after, limit: 1_000 })
    for (const { order } of page) all.set(order.order_uid, order)
    const last = page.at(-1)
    if (last === undefined) return all
    after = { atMs: last.atMs, id: last.order.order_uid }
  }
}
