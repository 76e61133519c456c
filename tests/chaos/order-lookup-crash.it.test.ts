import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Database, openDatabase } from '@headrace/database'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { queueStatus } from '@headrace/inbox'
import type { Order } from '@headrace/order-lookup/contract'
import { countOrders, storedOrders } from '../../modules/order-lookup/test/support/stored.ts'
import { FakeOrders } from '../../tools/produce-orders/fake-orders.ts'
import { startKafka, startNats } from '../../tools/services/testing.ts'
import { freePorts, type Headrace, startHeadrace } from '../support/headrace.ts'

const deadlineMs = 180_000
const seed = 7
const invalid = 0.03

/** What carries the orders, and how many: more than the few batches after which the process dies can hold. */
const runs = [
  { carrier: 'kafka', count: 3_000 },
  { carrier: 'nats', count: 1_500 },
] as const
/** Between the effects of its third batch and their commit, and right after that commit. */
const deaths = ['batch.before-commit=kill@3', 'batch.after-commit=kill@1']

for (const { carrier, count } of runs) {
  describe(`order lookup on ${carrier}`, { timeout: 400_000 }, () => {
    it(`killed in the midst of ${count} orders, twice, holds exactly the valid ones, field by field`, async () => {
      await using stack = new AsyncDisposableStack()
      const server = stack.use(await (carrier === 'kafka' ? startKafka() : startNats()))
      const { url: databaseUrl } = stack.use(await testDatabase({ name: 'lookup' }))
      const database = stack.use(openDatabase({ url: databaseUrl }))
      const [port = 0] = await freePorts(1)
      const environment = {
        QUEUE_TYPE: carrier,
        [carrier === 'kafka' ? 'KAFKA_BROKERS' : 'NATS_URL']: server.address,
        DATABASE_URL: databaseUrl,
        INTERNAL_PORT: '0',
        ORDER_LOOKUP_PORT: String(port),
      }
      const expected = await produced(count, environment)
      const url = `http://127.0.0.1:${port}`
      const start = (faults: Readonly<Record<string, string>> = {}) =>
        startHeadrace({ environment: { ...environment, ...faults }, args: ['--only', 'order-lookup'], url, deadlineMs })
      for (const fault of deaths) await diesOf(start({ HEADRACE_FAULTS: fault }))
      const held = await countOrders(database)
      assert.ok(held > 0 && held < expected.size, `killed with ${held} of ${expected.size} stored, not in the midst`)
      stack.use(await start())
      const isDone = async () => (await countOrders(database)) + (await countDead(database)) >= count
      await untilTrue('all are consumed', isDone, deadlineMs)
      const stored = await storedOrders(database)
      assert.equal(stored.size, expected.size)
      for (const [id, order] of expected) assert.deepEqual(stored.get(id), order)
    })
  })
}

/** Waits until the fault has killed the process, be it before it is ready. */
async function diesOf(starting: Promise<Headrace>): Promise<void> {
  const running = await starting.catch((error: unknown) => {
    if (!String(error).includes('fault point')) throw error
  })
  await running?.ended
}

/** Writes orders as `make produce-orders` does, some of them broken; returns the valid ones, which a seed makes again. */
async function produced(count: number, environment: Readonly<Record<string, string>>): Promise<Map<string, Order>> {
  const script = fileURLToPath(new URL('../../tools/produce-orders.ts', import.meta.url))
  const flags = { count, rate: 0, invalid, seed }
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)])
  await promisify(execFile)(process.execPath, [script, ...args], { env: { PATH: process.env['PATH'], ...environment } })
  const orders = new FakeOrders({ invalid, seed })
  const messages = Array.from({ length: count }, () => orders.next()).filter(({ isValid }) => isValid)
  return new Map(messages.map(({ key, body }) => [key, JSON.parse(Buffer.from(body).toString('utf8')) as Order]))
}

async function countDead(database: Database): Promise<number> {
  return (await queueStatus(database)).find(({ group }) => group === 'order-lookup')?.dead ?? 0
}
