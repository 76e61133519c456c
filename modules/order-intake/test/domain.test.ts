import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { AcceptedOrder } from '../src/domain/accepted-order.ts'
import { decideRequest } from '../src/domain/accepted-order.ts'
import { type Acknowledgement, acknowledge } from '../src/domain/acknowledgement.ts'
import { readAmount } from '../src/domain/amount.ts'
import { type AppliedOrder, applyEvent } from '../src/domain/applied-order.ts'
import { readExternalId } from '../src/domain/external-id.ts'
import { type OrderEvent, readOrderEvent } from '../src/domain/order-event.ts'

describe('an amount', () => {
  for (const [payload, minor] of [
    [{}, 0],
    [{ amount: 12.5 }, 1250],
    [{ amount: '12.345' }, 1235],
    [{ amount: 1.005 }, 101],
    [{ amount: '1.00499999999999999999' }, 100],
    [{ amount: 0.005 }, 1],
    [{ amount: ' 7 ' }, 700],
    [{ amount: 1e3 }, 100_000],
    [{ amount: '5e-3' }, 1],
    [{ amount: 1e-7 }, 0],
    [{ amount: -0 }, 0],
    [{ amount: '70368744177664' }, 7036874417766400],
    [{ amount: 3, items: [{ price: 100 }] }, 300],
    [{ amount: null, items: [{ price: 2, qty: 3 }, { price: '0.5' }] }, 650],
    [{ items: [{ price: 0.1, qty: 3 }] }, 30],
    // Rounded once: each alone would be a hundredth.
    [{ items: [{ price: 0.005 }, { price: 0.005 }, { price: 0.004 }] }, 1],
    [
      {
        items: [
          { price: 2.5, qty: '1.5' },
          { price: 9, qty: 0 },
          { price: 1, qty: null },
        ],
      },
      475,
    ],
    [{ items: null }, 0],
  ] as const) {
    it(`of ${JSON.stringify(payload)} is ${minor}`, () =>
      assert.deepEqual(readAmount(payload), { kind: 'amount', minor }))
  }

  for (const payload of [
    { amount: -0.001 },
    { amount: 'x' },
    { amount: '' },
    { amount: true },
    { amount: {} },
    { amount: '1e999' },
    { amount: 'Infinity' },
    { amount: 1e300 },
    { amount: '70368744177664.01' },
    { items: {} },
    { items: [7] },
    { items: [{}] },
    { items: [{ price: -1 }] },
    { items: [{ price: 1, qty: -1 }] },
    { items: [{ price: 1, qty: 'two' }] },
  ]) {
    it(`there is none in ${JSON.stringify(payload)}`, () => assert.equal(readAmount(payload).kind, 'invalid'))
  }

  it('is the exact sum, rounded half up, of any prices in thousandths', () => {
    const items = fc.array(fc.record({ price: fc.nat(1_000_000), qty: fc.nat(1_000) }))
    fc.assert(
      fc.property(items, (list) => {
        const thousandths = list.reduce((sum, { price, qty }) => sum + BigInt(price) * BigInt(qty), 0n)
        const minor = Number((thousandths + 5n) / 10n)
        const payload = { items: list.map(({ price, qty }) => ({ price: price / 1000, qty })) }
        assert.deepEqual(readAmount(payload), { kind: 'amount', minor })
      }),
    )
  })
})

describe('an external id', () => {
  it('is the payload’s, else the one beside it, as text', () => {
    assert.deepEqual(readExternalId({ id: 42 }, 'x'), { kind: 'id', id: '42' })
    assert.deepEqual(readExternalId({ id: null }, 42), { kind: 'id', id: '42' })
    assert.deepEqual(readExternalId({}, ''), { kind: 'id', id: undefined })
  })

  it('that no column can hold is refused', () => {
    for (const id of ['\u0000', '\ud800', 'x'.repeat(257), {}, true]) {
      assert.equal(readExternalId({ id }, undefined).kind, 'invalid')
    }
  })
})

const orderId = '0190a5c2-7f00-7000-8000-000000000001'
const userId = '6f1f7e2e-0c9b-4a35-9f0e-2b6d3a4c5e6f'
const event = (changes: Partial<OrderEvent>): OrderEvent => ({
  order_id: orderId,
  external_id: null,
  user_id: userId,
  payload: { amount: 1 },
  status: 'new',
  timestamp: '2026-01-01T00:00:00.000Z',
  ...changes,
})

describe('events', () => {
  it('of a foreign producer may leave out what can be told from the rest', () => {
    const reading = readOrderEvent({ order_id: orderId.toUpperCase(), user_id: userId, payload: { id: 7 } }, 0)
    const timestamp = '1970-01-01T00:00:00.000Z'
    assert.deepEqual(reading, { kind: 'event', event: event({ external_id: '7', payload: { id: 7 }, timestamp }) })
  })

  it('that are none are told why, whatever they are', () => {
    for (const value of [null, [], 7, {}, { order_id: 'x' }, event({ user_id: 'x' }), event({ payload: null })]) {
      assert.equal(readOrderEvent(value, 0).kind, 'rubbish', JSON.stringify(value))
    }
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.match(readOrderEvent(value, 0).kind, /^(event|rubbish)$/)
      }),
    )
  })

  const anyEvent = fc.record({
    amount: fc.oneof(fc.nat(9), fc.constant(-1)),
    isDeleted: fc.boolean(),
    isOwners: fc.boolean(),
  })
  const toEvent = ({ amount, isDeleted, isOwners }: { amount: number; isDeleted: boolean; isOwners: boolean }) =>
    event({
      payload: { amount },
      status: isDeleted ? 'deleted' : 'new',
      user_id: isOwners ? userId : '00000000-0000-4000-8000-000000000000',
    })

  it('in any order and repetition: once deleted an order stays deleted and unchanged, and nobody takes it over', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 12 }), (plan) => {
        let order: AppliedOrder | undefined
        for (const each of plan.map(toEvent)) {
          const application = applyEvent(order, each)
          if (application.kind !== 'applied') {
            assert.equal(application.order, order)
            continue
          }
          if (order !== undefined) assert.notEqual(order.status, 'deleted')
          if (order !== undefined) assert.equal(application.order.userId, order.userId)
          order = application.order
        }
      }),
    )
  })

  it('of an order that is deleted among them end in a deleted order, whatever their permutation', () => {
    const events = [
      event({ payload: { amount: 1 } }),
      event({ payload: { amount: 2 } }),
      event({ payload: { amount: 3 } }),
      event({ status: 'deleted', payload: null }),
      event({ status: 'deleted', payload: null }),
    ]
    fc.assert(
      fc.property(fc.shuffledSubarray(events, { minLength: events.length }), (shuffled) => {
        let order: AppliedOrder | undefined
        for (const each of shuffled) {
          const { order: next } = applyEvent(order, each)
          order = next
        }
        assert.equal(order?.status, 'deleted')
      }),
    )
  })
})

describe('an acknowledgement', () => {
  it('that rejects leaves the order as it is, also where it names an external id', () => {
    const at = '2026-01-01T00:00:00.000Z'
    const result = { userId, amountMinor: 100, payload: { amount: 1 }, createdAt: at, updatedAt: at }
    const order: AcceptedOrder = {
      ...result,
      orderId,
      externalId: 'mine',
      status: 'done',
      pendingEventId: undefined,
      isApplied: true,
    }
    const rejection: Acknowledgement = {
      orderId,
      eventId: 'foreign',
      status: 'rejected',
      code: 'forbidden',
      externalId: 'theirs',
      result: { ...result, orderStatus: 'done' },
    }
    assert.deepEqual(acknowledge(order, rejection), order)
    // Somebody else had the id first: what was awaited never was, and nothing of theirs is taken over.
    const theirs = { ...rejection, result: { ...result, userId: orderId, orderStatus: 'done' as const } }
    const awaited: AcceptedOrder = { ...order, status: 'new', pendingEventId: 'foreign', isApplied: false }
    assert.equal(acknowledge(awaited, theirs), undefined)
    assert.deepEqual(acknowledge({ ...order, pendingEventId: 'foreign' }, theirs), order)
  })
})

/** What a walk does: a request at the api, a foreign event, the worker takes one, the api hears one. */
type Step = 'update' | 'delete' | 'foreign' | 'foreign-delete' | 'apply' | 'hear'

describe('the api and its worker', () => {
  const steps = fc.array(
    fc.constantFrom<Step[]>(
      'update',
      'update',
      'foreign',
      'apply',
      'apply',
      'hear',
      'hear',
      'delete',
      'foreign-delete',
    ),
    { maxLength: 30 },
  )

  it('agree in the end, whatever happens in between; a read is the last accepted write, and deleted stays deleted', () => {
    fc.assert(
      fc.property(steps, (plan) => {
        const walk = new Walk()
        for (const step of plan) walk.take(step)
        walk.finish()
        assert.equal(walk.accepted?.status, walk.applied?.status)
        assert.deepEqual(walk.accepted?.payload, walk.applied?.payload)
        assert.equal(walk.accepted?.amountMinor, walk.applied?.amountMinor)
        assert.equal(walk.accepted?.pendingEventId, undefined)
        assert.deepEqual([...walk.outcomes.keys()].length, walk.requests)
      }),
      { numRuns: 1_000 },
    )
  })
})

/** One order at the api and at the worker, with what is on its way between them, in order. */
class Walk {
  accepted: AcceptedOrder | undefined
  applied: AppliedOrder | undefined
  requests = 0
  readonly outcomes = new Map<string, string>()
  readonly #events: (readonly [id: string, isOwn: boolean, event: OrderEvent])[] = []
  readonly #acks: Acknowledgement[] = []
  #last = 0

  take(step: Step): void {
    if (step === 'apply') return this.#apply()
    if (step === 'hear') return this.#hear()
    this.#last += 1
    const payload = { amount: this.#last }
    if (step === 'foreign') this.#events.push([`f${this.#last}`, false, event({ payload })])
    else if (step === 'foreign-delete') this.#events.push([`f${this.#last}`, false, event({ status: 'deleted' })])
    else this.#request(step)
  }

  finish(): void {
    while (this.#events.length > 0) this.#apply()
    while (this.#acks.length > 0) this.#hear()
  }

  #request(kind: 'update' | 'delete'): void {
    const id = `e${this.#last}`
    const at = '2026-01-01T00:00:00.000Z'
    const payload = { amount: this.#last }
    const fields = { orderId, userId, payload, amountMinor: this.#last * 100, externalId: undefined }
    const request = kind === 'delete' ? { kind, orderId, userId } : { ...fields, kind }
    const wanted =
      this.accepted === undefined && this.#last === 1 && kind === 'update'
        ? { ...fields, kind: 'create' as const }
        : request
    const decision = decideRequest(this.accepted, wanted, { eventId: id, at })
    if (decision.kind !== 'accepted') return
    this.requests += 1
    const { order } = decision
    this.accepted = order
    if (kind === 'update') assert.deepEqual(order.payload, payload)
    this.#events.push([id, true, event({ payload: order.payload, status: kind === 'delete' ? 'deleted' : 'new' })])
  }

  #apply(): void {
    const [next] = this.#events.splice(0, 1)
    if (next === undefined) return
    const [eventId, , applying] = next
    const application = applyEvent(this.applied, applying)
    if (application.kind === 'applied') this.applied = application.order
    const { order } = application
    this.#acks.push({
      orderId,
      eventId,
      status:
        application.kind === 'applied' ? application.as : application.kind === 'rejected' ? 'rejected' : 'deleted',
      code: application.kind === 'rejected' ? application.code : undefined,
      externalId: undefined,
      result: order && { ...order, orderStatus: order.status },
    })
  }

  #hear(): void {
    const [ack] = this.#acks.splice(0, 1)
    if (ack === undefined) return
    const before = this.accepted
    this.accepted = acknowledge(before, ack)
    if (before?.status === 'deleted') assert.equal(this.accepted?.status, 'deleted')
    // While a request is on its way, what it wants is what is read.
    if (
      before?.pendingEventId !== undefined &&
      before.pendingEventId !== ack.eventId &&
      this.accepted?.status !== 'deleted'
    ) {
      assert.equal(this.accepted?.payload, before.payload)
    }
    if (ack.eventId.startsWith('e')) this.outcomes.set(ack.eventId, ack.status)
  }
}
