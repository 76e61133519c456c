import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  decide,
  decideCancel,
  evolve,
  type Order,
  type Payment as PaymentFact,
} from '../../modules/orders/src/domain/order.ts'
import type { Charge, Payment } from '../../modules/payments/src/domain/payment.ts'
import { Till } from '../../modules/payments/src/domain/till.ts'

/** What is under way between the two; each message may arrive any number of times, in any order. */
type Message =
  | { readonly to: 'payments'; readonly kind: 'created' | 'cancelled'; readonly order: string }
  | { readonly to: 'orders'; readonly order: string; readonly fact: PaymentFact }

const dueAtMs = 1_000

/** Both modules without their databases, and the messages between them. */
class World {
  readonly orders = new Map<string, Order>()
  readonly messages: Message[] = []
  payments: Payment[] = []
  balanceMinor = 0
  ledgerMinor = 0
  readonly debits = new Map<string, number>()
  readonly arrived = new Set<number>()
  #ids = 0

  place(order: string, amountMinor: number): void {
    if (this.orders.has(order)) return
    const common = { id: order, userId: 'u', amountMinor, currency: 'USD' }
    this.orders.set(order, { ...common, status: 'created', paymentId: '', errorReason: '' })
    this.messages.push({ to: 'payments', kind: 'created', order })
  }

  cancel(id: string): void {
    const order = this.orders.get(id)
    const cancellation = order && decideCancel(order)
    if (order === undefined || cancellation?.kind !== 'cancelled') return
    this.orders.set(id, evolve(order, cancellation.event))
    this.messages.push({ to: 'payments', kind: 'cancelled', order: id })
  }

  topUp(amountMinor: number): void {
    this.#atTill(0, (till) => till.topUp('u', amountMinor))
  }

  expire(): void {
    this.#atTill(dueAtMs, (till) => {
      for (const { orderId } of this.payments) till.expire(orderId)
    })
  }

  deliver(index: number): void {
    const message = this.messages[index]
    if (message !== undefined) this.arrived.add(index)
    if (message?.to === 'payments') this.#toPayments(message)
    else if (message?.to === 'orders') this.#toOrders(message)
  }

  #toPayments({ kind, order }: Extract<Message, { to: 'payments' }>): void {
    const placed = this.orders.get(order)
    if (placed === undefined) return
    const { userId, amountMinor, currency } = placed
    const charge: Charge = { orderId: order, userId, amountMinor, currency, dueAtMs }
    this.#atTill(0, (till) => (kind === 'created' ? till.charge(charge) : till.cancel(charge)))
  }

  #toOrders({ order: id, fact }: Extract<Message, { to: 'orders' }>): void {
    const order = this.orders.get(id)
    if (order === undefined) return
    this.orders.set(id, decide(order, { kind: 'payment', payment: fact }).reduce(evolve, order))
  }

  #atTill(nowMs: number, act: (till: Till) => void): void {
    const purses = [{ userId: 'u', balanceMinor: this.balanceMinor }]
    const till = new Till({ purses, payments: this.payments, newId: () => String((this.#ids += 1)), nowMs })
    act(till)
    const { added, changed, entries, told } = till.changes
    const now = new Map([...added, ...changed].map((payment) => [payment.orderId, payment]))
    this.payments = [...this.payments.map((payment) => now.get(payment.orderId) ?? payment), ...added]
    this.balanceMinor = till.balanceOf('u') ?? 0
    for (const { amountMinor, orderId, userId } of entries) {
      this.ledgerMinor += amountMinor
      if (orderId !== undefined && userId !== undefined)
        this.debits.set(orderId, (this.debits.get(orderId) ?? 0) - amountMinor)
    }
    for (const payment of told) {
      const { id: paymentId, status, errorMessage = '' } = payment
      if (status === 'refunded') continue
      const fact = { paymentId, kind: status, ...(status === 'failed' && { reason: errorMessage }) } as PaymentFact
      this.messages.push({ to: 'orders', order: payment.orderId, fact })
    }
  }
}

const action = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('place' as const),
      order: fc.nat(4),
      amount: fc.integer({ min: 1, max: 90 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), order: fc.nat(4), amount: fc.constant(0) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('topUp' as const),
      order: fc.constant(0),
      amount: fc.integer({ min: 1, max: 120 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('expire' as const), order: fc.constant(0), amount: fc.constant(0) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('deliver' as const), order: fc.nat(60), amount: fc.constant(0) }),
  },
)

function run(
  world: World,
  actions: readonly { readonly do: string; readonly order: number; readonly amount: number }[],
): void {
  for (const { do: what, order, amount } of actions) {
    if (what === 'place') world.place(`o${order}`, amount)
    else if (what === 'cancel') world.cancel(`o${order}`)
    else if (what === 'topUp') world.topUp(amount)
    else if (what === 'expire') world.expire()
    else world.deliver(order % Math.max(1, world.messages.length))
  }
}

/** What has not arrived arrives at last, in an order of its own, and every deadline passes. */
function settle(world: World, shuffle: readonly number[]): void {
  for (let rounds = 0; rounds < 10; rounds += 1) {
    const left = world.messages.map((_, index) => index).filter((index) => !world.arrived.has(index))
    for (const index of shuffled(left, shuffle)) world.deliver(index)
    world.expire()
  }
  assert.equal(world.arrived.size, world.messages.length, 'messages breed messages')
}

/** Everything that was ever sent arrives once more. */
function repeatAll(world: World, shuffle: readonly number[]): void {
  const all = world.messages.map((_, index) => index)
  for (const index of shuffled(all, shuffle)) world.deliver(index)
}

function shuffled(indexes: readonly number[], shuffle: readonly number[]): number[] {
  const place = (index: number) => shuffle[index % shuffle.length] ?? 0
  return indexes.toSorted((a, b) => place(a) - place(b))
}

function requireConsistent(world: World): void {
  assert.equal(world.ledgerMinor, 0)
  assert.ok(world.balanceMinor >= 0)
  for (const { id, status, amountMinor, paymentId } of world.orders.values()) {
    const payment = world.payments.find(({ orderId }) => orderId === id)
    const debited = world.debits.get(id) ?? 0
    assert.ok(['paid', 'payment_failed', 'cancelled'].includes(status), `${id} stays ${status}`)
    assert.equal(debited, status === 'paid' ? amountMinor : 0, `${id} is ${status} and debited ${debited}`)
    const ends = { paid: ['completed'], payment_failed: ['failed'], cancelled: ['failed', 'refunded'] }[
      status as 'paid'
    ]
    assert.ok(ends.includes(payment?.status ?? 'none'), `${id} is ${status} and its payment ${payment?.status}`)
    if (status !== 'cancelled') assert.equal(paymentId, payment?.id)
  }
}

describe('orders and payments, whatever order and however often their messages arrive', () => {
  it('agree in the end: paid is debited once, everything else costs nothing', () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 80 }),
        fc.array(fc.nat(1_000), { minLength: 20 }),
        (actions, shuffle) => {
          const world = new World()
          run(world, actions)
          settle(world, shuffle)
          requireConsistent(world)
          const before = JSON.stringify([...world.orders.values(), world.payments, world.balanceMinor])
          repeatAll(world, shuffle.toReversed())
          assert.equal(JSON.stringify([...world.orders.values(), world.payments, world.balanceMinor]), before)
        },
      ),
      { numRuns: 1_000 },
    )
  })
})
