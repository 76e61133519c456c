import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { sleep } from '@headrace/runtime'
import { orderNumber, ordersMessage } from './support/orders.ts'
import { type Replica, startReplica } from './support/replica.ts'

const ids = ['order-0', 'order-1', 'order-2', 'order-3']
const runMs = 2_500

/** What the database was seen to hold, and when: an answer may not be older than that by more than the bound. */
class Seen {
  readonly #times = new Map<string, { version: number; atMs: number }[]>()

  add(id: string, version: number, atMs: number): void {
    const known = this.#times.get(id) ?? []
    if ((known.at(-1)?.version ?? -1) < version) known.push({ version, atMs })
    this.#times.set(id, known)
  }

  /** The least version that an answer to a question of this moment may hold. */
  atLeast(id: string, askedAtMs: number): number {
    return this.#times.get(id)?.findLast(({ atMs }) => atMs <= askedAtMs)?.version ?? 0
  }
}

describe('the caches of three replicas without hints', { timeout: 240_000 }, () => {
  for (const boundMs of [250, 0]) {
    it(`never answer older than ${boundMs} ms while orders change all the time`, async () => {
      const env = { CACHE_STALENESS_MS: String(boundMs) }
      await using one = await startReplica({ env, withoutHints: true })
      const { url, database, log } = one.station
      await using two = await startReplica({ url, env, withoutHints: true })
      await using three = await startReplica({ url, env, withoutHints: true })
      const replicas = [one, two, three]
      const seen = new Seen()
      const running = new AbortController()
      const { signal } = running
      let version = 0
      const write = async () => {
        version += 1
        await log.inTransaction((tx) => {
          ids.forEach((_, n) => tx.append(ordersMessage(orderNumber(n, { sm_id: version }), { id: `${n}/${version}` })))
        })
      }
      const look = async () => {
        const { rows } = await database.query<{ order_uid: string; sm_id: number }>({
          text: 'select order_uid, sm_id from order_lookup.orders',
        })
        const atMs = performance.now()
        for (const { order_uid, sm_id } of rows) seen.add(order_uid, sm_id, atMs)
        return rows.length
      }
      await write()
      await untilTrue('the orders are there', async () => (await look()) === ids.length, 30_000)

      let answers = 0
      let hits = 0
      const read = async (replica: Replica, id: string) => {
        const askedAtMs = performance.now()
        const { order, headers } = await replica.get(id)
        const least = seen.atLeast(id, askedAtMs - boundMs)
        assert.ok(order.sm_id >= least, `${id} was answered as version ${order.sm_id}, ${least} is the oldest allowed`)
        answers += 1
        if (headers.get('x-cache') === 'hit') hits += 1
      }
      const until = async (work: () => Promise<unknown>, pauseMs: number) => {
        while (!signal.aborted) {
          await work()
          await sleep(pauseMs)
        }
      }
      const loops = [
        until(write, 120),
        until(look, 5),
        ...replicas.flatMap((replica) => ids.map((id) => until(() => read(replica, id), 3))),
      ]
      const stopped = Promise.all(loops).finally(() => running.abort())
      await Promise.race([sleep(runMs, signal), stopped])
      running.abort()
      await stopped
      assert.ok(answers > 100 && hits > 0, `${answers} answers, ${hits} hits`)
      assert.ok(version > 3)
    })
  }
})
