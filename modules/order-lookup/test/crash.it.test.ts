import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { untilTrue } from '@headrace/database/testing'
import { queueStatus } from '@headrace/inbox'
import { testStation } from '@headrace/station/testing'
import { orderLookupMigrations } from '../src/module.ts'
import { orderNumber, ordersMessage, rubbish } from './support/orders.ts'
import { countOrders, storedOrders } from './support/stored.ts'

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

    const stored = await storedOrders(database)
    assert.equal(stored.size, ordersInAll)
    for (let n = 0; n < ordersInAll; n += 1) assert.deepEqual(stored.get(`order-${n}`), orderNumber(n))
    const [status] = await queueStatus(database)
    assert.equal(status?.dead, ordersInAll / 500)
  })
})
