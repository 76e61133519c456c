import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { drawnAmount } from '../src/domain/drawn-amount.ts'
import { decide, decideCancel, evolve, type Order, type OrderCommand, type OrderStatus } from '../src/domain/order.ts'

const placed: Order = {
  id: 'o',
  userId: 'u',
  amountMinor: 100,
  currency: 'USD',
  status: 'created',
  paymentId: '',
  errorReason: '',
}
const pending: OrderCommand = { kind: 'payment', payment: { kind: 'pending', paymentId: 'p' } }
const completed: OrderCommand = { kind: 'payment', payment: { kind: 'completed', paymentId: 'p', completeAtMs: 100 } }
const failed: OrderCommand = { kind: 'payment', payment: { kind: 'failed', paymentId: 'p', reason: 'why' } }
const due: OrderCommand = { kind: 'complete', nowMs: 100 }

function after(order: Order, ...commands: readonly OrderCommand[]): Order {
  return commands.reduce((now, command) => decide(now, command).reduce(evolve, now), order)
}

function cancelled(order: Order): Order {
  const cancellation = decideCancel(order)
  return cancellation.kind === 'cancelled' ? evolve(order, cancellation.event) : order
}

describe('an order', () => {
  it('becomes what its payment becomes', () => {
    assert.deepEqual(after(placed, pending), { ...placed, status: 'payment_pending', paymentId: 'p' })
    assert.equal(after(placed, completed).status, 'paid')
    assert.equal(after(placed, pending, completed).status, 'paid')
    const lost = { ...placed, status: 'payment_failed', paymentId: 'p', errorReason: 'why' }
    assert.deepEqual(after(placed, failed), lost)
    assert.deepEqual(after(placed, pending, failed), lost)
  })

  it('that is paid completes when its time has come, and only where it has one', () => {
    assert.equal(after(placed, completed, due).status, 'completed')
    assert.equal(after(placed, completed, { kind: 'complete', nowMs: 99 }).status, 'paid')
    const stays: OrderCommand = { kind: 'payment', payment: { kind: 'completed', paymentId: 'p' } }
    assert.equal(after(placed, stays, due).status, 'paid')
    assert.equal(after(placed, due).status, 'created')
  })

  it('can be cancelled until it is paid', () => {
    assert.equal(cancelled(placed).status, 'cancelled')
    assert.equal(cancelled(after(placed, pending)).status, 'cancelled')
    assert.equal(decideCancel(cancelled(placed)).kind, 'unchanged')
    for (const over of [after(placed, completed), after(placed, completed, due), after(placed, failed)]) {
      assert.equal(decideCancel(over).kind, 'too-late', over.status)
    }
  })

  it('that is over stays as it is, whatever comes', () => {
    for (const over of [cancelled(placed), after(placed, failed), after(placed, completed, due)]) {
      const commands: readonly OrderCommand[] = [pending, completed, failed, due]
      for (const command of commands) assert.deepEqual(after(over, command), over)
    }
  })

  it('ends the same in every order and repetition of what payments tell', () => {
    const ends = (final: OrderCommand, status: OrderStatus) =>
      fc.assert(
        fc.property(
          fc.shuffledSubarray([pending, pending, final, final, pending, final], { minLength: 1 }),
          (facts) => {
            if (!facts.includes(final)) return
            assert.equal(after(placed, ...facts).status, status)
          },
        ),
      )
    ends(completed, 'paid')
    ends(failed, 'payment_failed')
  })
})

it('a drawn amount lies from 100.00 to 1000.00', () => {
  assert.equal(
    drawnAmount(() => 0),
    10_000,
  )
  assert.equal(
    drawnAmount(() => 1 - Number.EPSILON),
    100_000,
  )
})
