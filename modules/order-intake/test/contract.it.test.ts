import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { startEventSweep } from '../src/api/event-sweep.ts'
import { type OrderResult, orderResultKey } from '../src/contract.ts'
import { placeExamples } from '../src/http-shapes.ts'
import { type Api, newUser, type RunningRole, startApi, startWorker } from './support/intake.ts'

describe('order intake', { timeout: 240_000 }, () => {
  const stack = new AsyncDisposableStack()
  let api: Api
  let worker: RunningRole
  before(async () => {
    api = stack.use(await startApi())
    worker = stack.use(await startWorker({ url: api.station.url }))
  })
  after(() => stack.disposeAsync())

  it('an order is created, updated and deleted, each answered once the worker has acknowledged it', async () => {
    const user_id = newUser()
    const made = await api.place({ user_id, payload_json: { items: [{ price: 4.5, qty: 2 }, { price: '1.005' }] } })
    assert.equal(made.status, 201)
    const { order_id } = made.body
    assert.deepEqual(made.body, { order_id, status: 'created' })
    const { order } = (await api.get(order_id)).body
    assert.deepEqual(
      { ...order, created_at: '', updated_at: '', bucket: 0 },
      {
        order_id,
        user_id,
        amount: 10.01,
        status: 'done',
        payload_json: { items: [{ price: 4.5, qty: 2 }, { price: '1.005' }] },
        created_at: '',
        updated_at: '',
        bucket: 0,
      },
    )
    assert.ok(order.bucket >= 0 && order.bucket <= 3)
    assert.match(order.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    const result = JSON.parse((await worker.station.keyvalue.get(orderResultKey(order_id))) ?? '{}') as OrderResult
    const { processed_at: _, ...kept } = result
    assert.deepEqual(kept, {
      order_id,
      status: 'created',
      order_status: 'done',
      user_id,
      amount: 10.01,
      payload: order.payload_json,
      created_at: order.created_at,
      updated_at: order.updated_at,
      bucket: order.bucket,
    })

    const updated = await api.place({ order_id, user_id, payload: { amount: '12.345' } })
    assert.deepEqual([updated.status, updated.body], [200, { order_id, status: 'updated' }])
    assert.equal((await api.get(order_id)).body.order.amount, 12.35)

    const gone = await api.place({ order_id, user_id, status: 'deleted' })
    assert.deepEqual([gone.status, gone.body], [200, { order_id, status: 'deleted' }])
    assert.equal((await api.get(order_id)).body.order.status, 'deleted')
    const late = await api.place({ order_id, user_id, payload: {} })
    assert.deepEqual([late.status, late.body.code], [409, 'order_deleted'])
    assert.equal((await api.place({ order_id, user_id, status: 'deleted' })).status, 200)
  })

  it('an external id belongs to one order of a user, is compared as text, and is freed by deletion', async () => {
    const [ann, bob] = [newUser(), newUser()]
    const first = await api.place({ user_id: ann, payload: { id: 42 } })
    assert.equal(first.status, 201)
    const taken = await api.place({ user_id: ann, external_id: '42', payload: {} })
    assert.deepEqual([taken.status, taken.body.code], [409, 'external_id_taken'])
    assert.equal((await api.place({ user_id: bob, external_id: '42', payload: {} })).status, 201)
    assert.equal((await api.byExternal('42', ann)).body.order.order_id, first.body.order_id)
    assert.equal((await api.place({ order_id: first.body.order_id, user_id: ann, payload: { id: '43' } })).status, 200)
    assert.equal((await api.byExternal('42', ann)).status, 404)
    const second = await api.place({ user_id: ann, payload: { id: '42' }, external_id: 'ignored' })
    assert.equal(second.status, 201)
    await api.place({ order_id: second.body.order_id, user_id: ann, status: 'deleted' })
    assert.equal((await api.byExternal('42', ann)).status, 404)
    assert.equal((await api.place({ user_id: ann, external_id: 42, payload: {} })).status, 201)
  })

  it('without waiting it is answered at once, with its place', async () => {
    const user_id = newUser()
    for (const options of [{ query: '?wait=false' }, { headers: { prefer: 'respond-async, wait=10' } }]) {
      const made = await api.place({ user_id, payload: {} }, options)
      assert.deepEqual([made.status, made.body.status], [202, 'accepted'])
      assert.equal(made.headers.get('location'), `/orders/${made.body.order_id}`)
    }
  })

  it('the same key and body get the same answer, and one order', async () => {
    const user_id = newUser()
    const headers = { 'idempotency-key': 'k' }
    const first = await api.place({ user_id, payload: { n: 1 } }, { headers })
    const again = await api.place({ user_id, payload: { n: 1 } }, { headers })
    assert.deepEqual([again.status, again.body], [201, first.body])
    const other = await api.place({ user_id, payload: { n: 2 } }, { headers })
    assert.deepEqual([other.status, other.body.code], [422, 'idempotency_key_reused'])
  })

  it('of ten twins at a time one is answered, and the others are told that it runs or what it was told', async () => {
    const user_id = newUser()
    const headers = { 'idempotency-key': 'twins' }
    const twin = () => api.place({ user_id, payload: {} }, { headers })
    const twins = await Promise.all(Array.from({ length: 10 }, twin))
    const answered = twins.filter(({ status }) => status === 201)
    assert.equal(new Set(answered.map(({ body }) => body.order_id)).size, 1)
    const others = twins.filter(({ status }) => status !== 201).map(({ status, body }) => [status, body.code])
    for (const other of others) assert.deepEqual(other, [409, 'idempotency_key_in_progress'])
  })

  it('another user’s order reads as unknown', async () => {
    const user_id = newUser()
    const { order_id } = (await api.place({ user_id, payload: {} })).body
    assert.equal((await api.place({ order_id, user_id: newUser(), payload: {} })).status, 404)
    assert.equal((await api.place({ order_id: newUser(), user_id, payload: {} })).status, 404)
    assert.equal((await api.get(newUser())).status, 404)
  })

  it('acknowledged events are deleted after 25 hours, also where there are more than one batch', async () => {
    const { database } = api.station
    const text = `select outcome from order_intake_api.event where accepted_at < now() - interval '25 hours'`
    const stale = async () => (await database.query<{ outcome: string | null }>({ text })).rows
    await database.query({
      text: `insert into order_intake_api.event (event_id, order_id, kind, accepted_at, outcome)
             select gen_random_uuid(), gen_random_uuid(), 'created', now() - interval '26 hours', outcome
             from unnest(array['created', 'updated', 'rejected', null]) as outcome`,
    })
    await using _sweep = startEventSweep({ database, onError: () => {}, batchSize: 1 })
    const isOneLeft = async () => (await stale()).length === 1
    await untilTrue('all that were acknowledged are deleted', isOneLeft)
    assert.deepEqual(await stale(), [{ outcome: null }])
  })

  const user_id = newUser()
  for (const [body, named] of [
    [{ payload: {} }, /user_id is missing/],
    [{ user_id: 'me', payload: {} }, /user_id is 'me'/],
    [{ user_id: 7, payload: {} }, /user_id/],
    [{ user_id, order_id: 'x', payload: {} }, /order_id is 'x'/],
    [{ user_id, order_id: 7, payload: {} }, /order_id/],
    [{ user_id, status: 'new', payload: {} }, /status/],
    [{ user_id, status: 'deleted' }, /order_id is missing/],
    [{ user_id, payload: {}, status: 'gone' }, /status must be "deleted", got "gone"/],
    [{ user_id }, /payload_json is missing/],
    [{ user_id, payload: {}, payload_json: {} }, /both/],
    [{ user_id, payload_json: '{' }, /payload_json/],
    [{ user_id, payload_json: '[]' }, /payload_json is no JSON object/],
    [{ user_id, payload_json: '"\\u0000"' }, /payload_json/],
    [{ user_id, payload: [] }, /payload/],
    [{ user_id, payload: { amount: -1 } }, /payload\.amount is negative/],
    [{ user_id, payload: { amount: 'much' } }, /payload\.amount is "much"/],
    [{ user_id, payload: { items: [{ price: 1 }, { qty: 2 }] } }, /payload\.items\[1\]\.price is missing/],
    [{ user_id, payload: { id: {} } }, /payload\.id/],
    [{ user_id, payload: {}, external_id: true }, /external_id/],
  ] as const) {
    it(`what is malformed is 400 and named: ${JSON.stringify(body).replace(user_id, 'user')}`, async () => {
      const answer = await api.place(body)
      assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_request'])
      assert.match(answer.body.detail, named)
    })
  }

  it('the examples of the reference succeed as often as they are tried', async () => {
    for (const example of [...placeExamples, ...placeExamples]) assert.equal((await api.place(example)).status, 201)
  })

  it('an id that is none is 400, and so is a look-up without a user', async () => {
    assert.equal((await api.get('7')).status, 400)
    assert.equal((await fetch(`${api.url}/orders/by-external/42`)).status, 400)
  })

  it('an order whose message would be too large is 413', async () => {
    const answer = await api.place({ user_id, payload: { text: 'x'.repeat(920_000) } })
    assert.deepEqual([answer.status, answer.body.code], [413, 'message_too_large'])
    assert.equal((await api.place({ user_id, payload: { text: 'x'.repeat(918_000) } })).status, 201)
  })
})
