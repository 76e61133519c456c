import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import type { Problem } from '@headrace/http-kit'
import type { Order } from '../src/contract.ts'
import { exampleOrder, orderNumber, ordersMessage } from './support/orders.ts'
import { type Replica, startReplica } from './support/replica.ts'

const deadlineMs = 30_000

async function store(replica: Replica, orders: readonly Order[]): Promise<void> {
  const before = (await replica.stats()).consumer.consumed
  await replica.station.log.inTransaction((tx) => {
    for (const order of orders) tx.append(ordersMessage(order))
  })
  const stored = async () => (await replica.stats()).consumer.consumed === before + orders.length
  await untilTrue('the orders are stored', stored, deadlineMs)
}

interface Page {
  readonly orders: readonly Order[]
  readonly next_cursor?: string
}

function cursorHolding(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

describe('answers', { timeout: 240_000 }, () => {
  it('an order is answered exactly as it came, from memory the second time, and 304 while it is unchanged', async () => {
    await using replica = await startReplica()
    await store(replica, [exampleOrder()])
    const first = await replica.get('b563feb7b2b84b6test')
    assert.deepEqual([first.status, first.headers.get('x-cache')], [200, 'miss'])
    assert.deepEqual(first.order, exampleOrder())
    assert.equal(JSON.stringify(first.order), JSON.stringify(exampleOrder()))
    const etag = first.headers.get('etag') ?? ''
    const again = await replica.get('b563feb7b2b84b6test', { 'if-none-match': `"other", W/${etag}` })
    assert.deepEqual([again.status, again.headers.get('x-cache'), again.headers.get('etag')], [304, 'hit', etag])
    await store(replica, [exampleOrder({ entry: 'NEW' })])
    const changed = await replica.get('b563feb7b2b84b6test', { 'if-none-match': etag })
    assert.deepEqual([changed.status, changed.order.entry], [200, 'NEW'])
  })

  it('an unknown id is 404, and an id may be any text', async () => {
    await using replica = await startReplica()
    const id = `<b>"&/%?#${'ü'.repeat(200)}`
    assert.equal((await replica.get(id)).status, 404)
    await store(replica, [exampleOrder({ order_uid: id })])
    assert.equal((await replica.get(id)).order.order_uid, id)
  })

  it('the list is cut into pages, the newest first, each order once, for all or for a customer or a track', async () => {
    await using replica = await startReplica()
    const orders = Array.from({ length: 25 }, (_, n) => orderNumber(n, { track_number: n === 3 ? 'T3' : 'T' }))
    await store(replica, orders)
    const list = async (query: string) => (await (await fetch(`${replica.url}/api/v1/orders?${query}`)).json()) as Page
    const pages: Order[] = []
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const page: Page = await list(`limit=10${cursor && `&cursor=${cursor}`}`)
      pages.push(...page.orders)
      cursor = page.next_cursor
    }
    assert.equal(pages.length, 25)
    const byId = (a: Order, b: Order) => a.sm_id - b.sm_id
    assert.deepEqual(pages.toSorted(byId), orders)
    assert.deepEqual(
      (await list('customer_id=c1')).orders.map(({ sm_id }) => sm_id % 7),
      [1, 1, 1, 1],
    )
    assert.deepEqual((await list('customer_id=c3&track_number=T3')).orders, [orders[3]])
    assert.deepEqual(await list('customer_id=nobody'), { orders: [] })
  })

  it('a limit or cursor that is none is 400 and named', async () => {
    await using replica = await startReplica()
    for (const [query, named] of [
      ['limit=0', /limit/],
      ['limit=201', /limit/],
      ['limit=ten', /limit/],
      ['cursor=nonsense', /cursor/],
      [`cursor=${cursorHolding([1, 2])}`, /cursor/],
      [`cursor=${cursorHolding([1, '\u0000'])}`, /cursor/],
      [`cursor=${cursorHolding([1, '\ud800'])}`, /cursor/],
    ] as const) {
      const response = await fetch(`${replica.url}/api/v1/orders?${query}`)
      const problem = (await response.json()) as Problem
      assert.equal(response.status, 400)
      assert.match(problem.detail, named)
    }
  })

  it('after a start the newest orders are in memory, and the newest of them are the last to go', async () => {
    await using replica = await startReplica()
    await store(
      replica,
      Array.from({ length: 250 }, (_, n) => orderNumber(n)),
    )
    await using other = await startReplica({ url: replica.station.url, env: { CACHE_CAPACITY: '240' } })
    await untilTrue('the cache is full', async () => (await other.stats()).cache.size === 240, deadlineMs)
    const list = async (query: string) => (await fetch(`${replica.url}/api/v1/orders?limit=200${query}`)).json()
    const newest = (await list('')) as Page
    const older = (await list(`&cursor=${newest.next_cursor}`)) as Page
    const from = async (order: Order | undefined) => (await other.get(order?.order_uid ?? '')).headers.get('x-cache')
    for (const order of older.orders.slice(-10)) assert.equal(await from(order), 'miss')
    assert.deepEqual(await Promise.all([0, 199].map((rank) => from(newest.orders[rank]))), ['hit', 'hit'])
    assert.equal(await from(older.orders[35]), 'miss')
  })
})
