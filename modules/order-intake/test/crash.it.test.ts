import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { httpKitMigrations } from '@headrace/http-kit'
import { sleep } from '@headrace/runtime'
import type { Station } from '@headrace/station'
import { testStation } from '@headrace/station/testing'
import { logPartitions } from '@headrace/transport'
import type { OrderEvent } from '../src/contract.ts'
import { orderIntakeApiMigrations, orderIntakeWorkerMigrations } from '../src/module.ts'
import { lockApplied } from '../src/store/applied-orders.ts'
import { type Answer, client, newUser, type Placed } from './support/intake.ts'
import { RoleProcess } from './support/role-process.ts'

const clients = 200
const ordersInAll = 20
const writesEach = 2
const deadlineMs = 120_000

describe('order intake whose processes are killed', { timeout: 300_000 }, () => {
  it('200 clients on 20 orders: each order ends as its last accepted write, deleted ones never come back', async () => {
    await using station = await testStation({
      migrations: [httpKitMigrations, orderIntakeApiMigrations, orderIntakeWorkerMigrations],
    })
    const { url } = station
    await using one = await RoleProcess.start({ role: 'api', url })
    await using two = await RoleProcess.start({ role: 'api', url })
    await using worker = await RoleProcess.start({ role: 'worker', url })
    const apis = [one, two]
    const user_id = newUser()
    const orders: string[] = []
    for (let n = 0; n < ordersInAll; n += 1) {
      const placed = await client(one.url).place({ user_id, payload: { n: 'first', amount: n } })
      assert.equal(placed.status, 201)
      orders.push(placed.body.order_id)
    }

    const accepted = new Map<string, string>()
    const gone = new Set<string>()
    const write = async (who: number, turn: number): Promise<void> => {
      const order_id = orders[(who * 7 + turn * 3) % ordersInAll] ?? ''
      // The last five orders are deleted in the midst of it.
      const isDeletion = who % 40 === 39 && turn === 1 && orders.indexOf(order_id) >= 15
      const n = `${who}/${turn}`
      const body = isDeletion
        ? { order_id, user_id, status: 'deleted' }
        : { order_id, user_id, payload: { n, amount: who } }
      const answer = await untilAnswered(apis, (api) =>
        client(api.url).place(body, { headers: { 'idempotency-key': n } }),
      )
      assert.ok([200, 202, 409].includes(answer.status), JSON.stringify(answer.body))
      if (answer.status === 409) assert.equal(answer.body.code, 'order_deleted')
      else if (isDeletion) gone.add(order_id)
      else accepted.set(n, order_id)
    }
    const writing = Promise.all(
      Array.from({ length: clients }, async (_, who) => {
        for (let turn = 0; turn < writesEach; turn += 1) await write(who, turn)
      }),
    )
    let isWriting = true
    const writingEnds = writing.finally(() => {
      isWriting = false
    })
    const killing = (async () => {
      for (const victim of [worker, one, worker]) {
        await sleep(400)
        if (!isWriting) return
        await victim.kill()
        await victim.start()
      }
    })()
    const watching = (async () => {
      while (isWriting) {
        for (const order_id of [...gone]) {
          const { body } = await untilAnswered(apis, (api) => client(api.url).get(order_id))
          assert.equal(body.order.status, 'deleted')
        }
        await sleep(50)
      }
    })()
    await Promise.all([writingEnds, killing, watching])

    const written = await eventsOf(station)
    const everything = [...written.values()].flat()
    const names = everything.map(({ payload }) => payload?.['n'])
    for (const [n, order_id] of accepted) {
      assert.equal(names.filter((name) => name === n).length >= 1, true, `${n} of ${order_id} was accepted and is lost`)
    }
    for (const order_id of orders) {
      const last = written.get(order_id)?.at(-1)
      const status = last?.status === 'deleted' ? 'deleted' : 'done'
      const settled = async () => {
        const { body } = await untilAnswered(apis, (api) => client(api.url).get(order_id))
        return body.order.status === status
      }
      await untilTrue(`${order_id} is ${status}`, settled, deadlineMs)
      const { body } = await untilAnswered(apis, (api) => client(api.url).get(order_id))
      assert.deepEqual(body.order.payload_json, last?.payload)
      const [applied] = await station.database.inTransaction((tx) => lockApplied(tx, [order_id]))
      assert.deepEqual([applied?.status, applied?.payload], [status, last?.payload])
    }
    assert.ok(gone.size > 0 && [...gone].every((id) => written.get(id)?.at(-1)?.status === 'deleted'))
  })
})

/** Repeats what an api that was killed did not answer, at another one. */
async function untilAnswered<Body>(
  apis: readonly RoleProcess[],
  ask: (api: RoleProcess) => Promise<Answer<Body>>,
): Promise<Answer<Body>> {
  const until = performance.now() + deadlineMs
  for (let turn = Math.floor(performance.now()); performance.now() < until; turn += 1) {
    const api = apis[turn % apis.length]
    const answer = api && (await ask(api).catch(() => undefined))
    const isRunning = answer?.status === 409 && (answer.body as Placed).code === 'idempotency_key_in_progress'
    if (answer !== undefined && answer.status < 500 && !isRunning) return answer
    await sleep(20)
  }
  throw new Error(`not within ${deadlineMs} ms: an answer`)
}

/** The events of each order as they stand in the log: the order in which they were accepted. */
async function eventsOf({ log }: Pick<Station, 'log'>): Promise<Map<string, OrderEvent[]>> {
  const topic = 'orders.events'
  const limits = { from: 1, sinceMs: 0, maxMessages: 100_000, maxBytes: 2 ** 30 }
  const partitions = Array.from({ length: logPartitions }, (_, partition) => log.read({ topic, partition, ...limits }))
  const bodies = (await Promise.all(partitions)).flat().map(({ body }) => Buffer.from(body).toString('utf8'))
  return Map.groupBy(
    bodies.map((body) => JSON.parse(body) as OrderEvent),
    ({ order_id }) => order_id,
  )
}
