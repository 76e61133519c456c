import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { type Delivery, MessageError, PoisonMessageError } from '@headrace/inbox'
import { type KeyValue, valueLimitBytes } from '@headrace/keyvalue'
import { PlatformError } from '@headrace/runtime'
import { orderResultKey } from '../src/contract.ts'
import { payloadBytes, payloadLimitBytes } from '../src/wire/sizes.ts'
import { type EventsHandlerNeeds, eventsHandler } from '../src/worker/handle-events.ts'
import { resultsTopic } from '../src/worker/start.ts'
import { type Api, newUser, type RunningRole, startApi, startWorker } from './support/intake.ts'

const deadlineMs = 30_000
const messageLimitBytes = 921_600

for (const withoutHints of [false, true]) {
  describe(`several replicas${withoutHints ? ' without hints' : ''}`, { timeout: 240_000 }, () => {
    const stack = new AsyncDisposableStack()
    let one: Api
    let two: Api
    before(async () => {
      one = stack.use(await startApi({ withoutHints }))
      const { url } = one.station
      two = stack.use(await startApi({ url, withoutHints }))
      stack.use(await startWorker({ url }))
    })
    after(() => stack.disposeAsync())

    it('each request is released by its own event’s acknowledgement, whichever replica hears it', async () => {
      const user_id = newUser()
      const placed = await Promise.all(
        Array.from({ length: 40 }, (_, n) => (n % 2 ? one : two).place({ user_id, payload: { n } })),
      )
      assert.deepEqual(
        placed.map(({ status }) => status),
        Array(40).fill(201),
      )
      for (const [n, { body }] of placed.entries()) {
        const { order } = (await one.get(body.order_id)).body
        assert.deepEqual([order.status, order.payload_json], ['done', { n }])
      }
    })

    it('of twins at two replicas one makes the order, and the other is told that it runs or what it was told', async () => {
      const user_id = newUser()
      const place = (n: number) => {
        const headers = { 'idempotency-key': `twin-${n}` }
        const body = { user_id, external_id: `twin-${n}`, payload: {} }
        return Promise.all([one, two].map((api) => api.place(body, { headers })))
      }
      for (const twins of await Promise.all(Array.from({ length: 10 }, (_, n) => place(n)))) {
        const answered = twins.filter(({ status }) => status === 201)
        assert.equal(new Set(answered.map(({ body }) => body.order_id)).size, 1)
        for (const { status, body } of twins) {
          if (status !== 201) assert.deepEqual([status, body.code], [409, 'idempotency_key_in_progress'])
        }
      }
    })
  })
}

/** The key-value store of a station, which can be away. */
function unreliable(keyvalue: KeyValue): KeyValue & { isAway: boolean } {
  const store = {
    ...keyvalue,
    isAway: false,
    async set(...args: Parameters<KeyValue['set']>) {
      if (store.isAway) throw new PlatformError('KEYVALUE_UNAVAILABLE', 'the store is away')
      return keyvalue.set(...args)
    },
  }
  return store
}

describe('what is away', { timeout: 240_000 }, () => {
  it('the worker, for longer than the time-out: 202, and later complete', async () => {
    await using api = await startApi({ env: { ACK_TIMEOUT_MS: '100' } })
    const user_id = newUser()
    const placed = await api.place({ user_id, payload: { amount: 5 } }, { headers: { 'idempotency-key': 'k' } })
    assert.deepEqual([placed.status, placed.body.status], [202, 'accepted'])
    const { order_id } = placed.body
    const path = placed.headers.get('location')
    assert.equal(path, `/orders/${order_id}`)
    assert.equal((await api.get(order_id)).body.order.status, 'new')
    await using _worker = await startWorker({ url: api.station.url })
    const isDone = async () => (await api.get(order_id)).body.order.status === 'done'
    await untilTrue('the order is done', isDone, deadlineMs)
    const again = await api.place({ user_id, payload: { amount: 5 } }, { headers: { 'idempotency-key': 'k' } })
    assert.deepEqual([again.status, again.body], [202, placed.body])
  })

  it('the key-value store: nobody is told before the result is there', async () => {
    await using api = await startApi({ env: { ACK_TIMEOUT_MS: '300' } })
    const { url, keyvalue } = api.station
    const store = unreliable(keyvalue)
    await using _worker = await startWorker({ url, keyvalue: store })
    store.isAway = true
    const user_id = newUser()
    const placed = await api.place({ user_id, payload: { amount: 5 } })
    assert.equal(placed.status, 202)
    const { order_id } = placed.body
    assert.equal((await api.get(order_id)).body.order.status, 'new')
    store.isAway = false
    const isDone = async () => (await api.get(order_id)).body.order.status === 'done'
    await untilTrue('the order is done', isDone, deadlineMs)
    assert.ok(await keyvalue.get(orderResultKey(order_id)))
    await keyvalue.delete(orderResultKey(order_id))
    assert.equal((await api.get(order_id)).body.order.amount, 5)
  })
})

type Limits = Pick<EventsHandlerNeeds, 'messageLimitBytes'>

describe('foreign events', { timeout: 240_000 }, () => {
  const stack = new AsyncDisposableStack()
  let api: Api
  let worker: RunningRole
  let last = 0
  before(async () => {
    api = stack.use(await startApi())
    worker = stack.use(await startWorker({ url: api.station.url }))
  })
  after(() => stack.disposeAsync())

  /** As a broker brings what a foreign producer wrote: without an origin in a log of ours. */
  async function bring(event: unknown, limits?: Limits): Promise<void> {
    await bringText(JSON.stringify(event), limits)
  }

  async function bringText(text: string, limits: Limits = { messageLimitBytes }): Promise<void> {
    last += 1
    const delivery: Delivery = {
      topic: 'orders.events',
      id: `foreign-${last}`,
      key: '',
      type: '',
      headers: { traceparent: 'none,\r\nbut two lines' },
      body: Buffer.from(text),
      position: last,
      at: Date.now(),
      attempt: 1,
      spot: { origin: 'kafka/topic', partition: 0, offset: last },
    }
    const now = () => new Date().toISOString()
    const handle = eventsHandler({ resultsTopic, ...limits, now })
    await worker.station.log.inTransaction((tx) => handle(tx, [delivery]))
  }
  const statusOf = async (id: string) => (await api.get(id)).body.order?.status
  const isAt = (id: string, status: string) =>
    untilTrue(`${id} is ${status}`, async () => (await statusOf(id)) === status, deadlineMs)

  it('an unknown order is created, without its external id where that is taken', async () => {
    const user_id = newUser()
    await api.place({ user_id, payload: {}, external_id: 'taken' })
    const [free, named] = [newUser(), newUser()]
    await bring({ order_id: free, user_id, payload: { amount: 3 }, external_id: 'free' })
    await bring({ order_id: named, user_id, payload: { amount: 4 }, external_id: 'taken' })
    await isAt(free, 'done')
    await isAt(named, 'done')
    assert.equal((await api.byExternal('free', user_id)).body.order.order_id, free)
    const { order } = (await api.get(named)).body
    assert.deepEqual([order.amount, order.external_id], [4, undefined])
    assert.notEqual((await api.byExternal('taken', user_id)).body.order.order_id, named)
  })

  it('a rejected one changes nothing, whosever it is: the order keeps its external id', async () => {
    const user_id = newUser()
    const { order_id } = (await api.place({ user_id, payload: { amount: 1 }, external_id: 'mine' })).body
    await bring({ order_id, user_id: newUser(), payload: { amount: 9 }, external_id: 'theirs' })
    await bring({ order_id, user_id, payload: { amount: -9 }, external_id: 'refused' })
    await bring({ order_id, user_id, payload: { amount: 2 } })
    const isUpdated = async () => (await api.get(order_id)).body.order.amount === 2
    await untilTrue('what came after them is there', isUpdated, deadlineMs)
    assert.equal((await api.byExternal('mine', user_id)).body.order?.order_id, order_id)
    const twin = await api.place({ user_id, payload: {}, external_id: 'mine' })
    assert.equal(twin.body.code, 'external_id_taken')
  })

  it('one that is larger once it is written again is rejected where no message could hold it', async () => {
    const user_id = newUser()
    const { order_id } = (await api.place({ user_id, payload: { amount: 1 } })).body
    // Each becomes 21 digits.
    const payload = `{"a":[${Array(100_000).fill('1e20').join()}]}`
    await bringText(`{"order_id":"${order_id}","user_id":"${user_id}","payload":${payload}}`)
    const next = await api.place({ order_id, user_id, payload: { amount: 2 } })
    assert.deepEqual([next.status, next.body.status], [200, 'updated'])
  })

  it('however large a message may be, an order whose result the key-value store could not hold is rejected', async () => {
    const [user_id, order_id] = [newUser(), newUser()]
    const payload = { a: 'x'.repeat(valueLimitBytes) }
    await bring({ order_id, user_id, payload }, { messageLimitBytes: 4 * valueLimitBytes })
    await bring({ order_id, user_id, payload: {} })
    await isAt(order_id, 'done')
  })

  it('the largest that is applied can be acknowledged, and deleted by its user', async () => {
    const [user_id, order_id] = [newUser(), newUser()]
    const payload = { a: 'x'.repeat(payloadLimitBytes(messageLimitBytes) - payloadBytes({ a: '' })) }
    // Six bytes for each as JSON.
    await bring({ order_id, user_id, payload, external_id: '\u0001'.repeat(256) })
    await isAt(order_id, 'done')
    assert.equal((await api.place({ order_id, user_id, status: 'deleted' })).status, 200)
  })

  it('one that is nested deeper than a request may be is set aside by itself', async () => {
    const payload = `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
    const bringing = bringText(`{"order_id":"${newUser()}","user_id":"${newUser()}","payload":${payload}}`)
    await assert.rejects(
      bringing,
      (error) => error instanceof MessageError && error.cause instanceof PoisonMessageError,
    )
  })

  it('an update that names a taken external id leaves the order its own', async () => {
    const user_id = newUser()
    const other = (await api.place({ user_id, payload: {}, external_id: 'others' })).body
    const { order_id } = (await api.place({ user_id, payload: { amount: 1 }, external_id: 'own' })).body
    await bring({ order_id, user_id, payload: { amount: 2 }, external_id: 'others' })
    const isUpdated = async () => (await api.get(order_id)).body.order.amount === 2
    await untilTrue('the update is there', isUpdated, deadlineMs)
    assert.equal((await api.byExternal('own', user_id)).body.order?.order_id, order_id)
    assert.equal((await api.byExternal('others', user_id)).body.order.order_id, other.order_id)
    await bring({ order_id, user_id, payload: { amount: 3 }, external_id: 'free' })
    const isRenamed = async () => (await api.byExternal('free', user_id)).body.order?.order_id === order_id
    await untilTrue('the free name is taken', isRenamed, deadlineMs)
    assert.equal((await api.byExternal('own', user_id)).status, 404)
  })

  it('a known order is updated, and one that they have deleted rejects what the api has not known', async () => {
    const user_id = newUser()
    const { order_id } = (await api.place({ user_id, payload: { amount: 1 } })).body
    await bring({ order_id, user_id, payload: { amount: 2 } })
    const isUpdated = async () => (await api.get(order_id)).body.order.amount === 2
    await untilTrue('the update is there', isUpdated, deadlineMs)
    await bring({ order_id, user_id, status: 'deleted' })
    // Before the api has heard of it, or after: the answer is the same.
    const late = await api.place({ order_id, user_id, payload: { amount: 3 } })
    assert.deepEqual([late.status, late.body.code], [409, 'order_deleted'])
    await isAt(order_id, 'deleted')
    await bring({ order_id, user_id, payload: { amount: 9 } })
    await bring({ order_id, user_id: newUser(), payload: { amount: 9 } })
    const other = newUser()
    await bring({ order_id: other, user_id, payload: { amount: -1 } })
    await bring({ order_id: other, user_id, payload: { amount: 1 } })
    await isAt(other, 'done')
    const { order } = (await api.get(order_id)).body
    assert.deepEqual([order.status, order.amount], ['deleted', 2])
  })
})
