import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Charge, Payment } from '../src/domain/payment.ts'
import { Till, type TillChanges } from '../src/domain/till.ts'

const charge = (orderId: string, amountMinor: number, userId = 'u'): Charge => {
  return { orderId, userId, amountMinor, currency: 'USD', dueAtMs: 1_000 }
}

function till(balanceMinor: number, payments: readonly Payment[] = []): Till {
  let last = 0
  const newId = () => `id-${(last += 1)}`
  return new Till({ purses: [{ userId: 'u', balanceMinor }], payments, newId, nowMs: 0 })
}

const statusOf = ({ added, changed }: TillChanges, order: string) =>
  [...added, ...changed].find(({ orderId }) => orderId === order)?.status

describe('a till', () => {
  it('lets each command see what those before it have done', () => {
    const one = till(100)
    for (const order of ['a', 'b', 'c']) one.charge(charge(order, 40))
    const { changes } = one
    assert.deepEqual(
      changes.told.map(({ orderId, status }) => [orderId, status]),
      [
        ['a', 'completed'],
        ['b', 'completed'],
        ['c', 'pending'],
      ],
    )
    assert.deepEqual(changes.purses, [{ userId: 'u', balanceMinor: 20 }])
  })

  it('pays what waits with money that comes in, oldest first, and what fits behind it', () => {
    const one = till(0)
    one.charge(charge('a', 50))
    one.charge(charge('b', 500))
    one.charge(charge('c', 50))
    one.topUp('u', 100)
    assert.deepEqual(
      ['a', 'b', 'c'].map((order) => statusOf(one.changes, order)),
      ['completed', 'pending', 'completed'],
    )
    assert.equal(one.balanceOf('u'), 0)
  })

  it('pays what waits with money that goes back', () => {
    const one = till(100)
    one.charge(charge('a', 100))
    one.charge(charge('b', 60))
    one.cancel(charge('a', 100))
    assert.deepEqual([statusOf(one.changes, 'a'), statusOf(one.changes, 'b')], ['refunded', 'completed'])
    assert.equal(one.balanceOf('u'), 40)
  })

  it('takes the payment of an order that it already has as it is', () => {
    const paid: Payment = { ...charge('a', 100), id: 'p', status: 'completed', transactionId: 't' }
    const one = till(500, [paid])
    one.charge(charge('a', 100))
    assert.deepEqual(one.changes.entries, [])
    assert.deepEqual(one.changes.told, [])
  })

  it('whatever is asked: lines sum to zero, balances are theirs and not negative, each payment is debited as it says', () => {
    const command = fc.record({
      kind: fc.constantFrom('charge', 'cancel', 'topUp', 'expire'),
      order: fc.integer({ min: 0, max: 5 }),
      amountMinor: fc.integer({ min: 1, max: 300 }),
    })
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), fc.integer({ min: 0, max: 400 }), (commands, opening) => {
        const one = till(opening)
        const amounts = new Map<number, number>()
        for (const { kind, order, amountMinor } of commands) {
          if (!amounts.has(order)) amounts.set(order, amountMinor)
          const wanted = charge(`o${order}`, amounts.get(order) ?? amountMinor)
          if (kind === 'charge') one.charge(wanted)
          else if (kind === 'cancel') one.cancel(wanted)
          else if (kind === 'topUp') one.topUp('u', amountMinor)
          else one.expire(wanted.orderId)
        }
        requireBalanced(one, opening)
      }),
    )
  })
})

function requireBalanced(one: Till, opening: number): void {
  const { entries, added } = one.changes
  const sum = (lines: readonly { readonly amountMinor: number }[]) =>
    lines.reduce((all, { amountMinor }) => all + amountMinor, 0)
  assert.equal(sum(entries), 0)
  const own = entries.filter(({ userId }) => userId !== undefined)
  assert.equal(opening + sum(own), one.balanceOf('u'))
  for (const { balanceAfterMinor = -1 } of own) assert.ok(balanceAfterMinor >= 0)
  for (const { id, status, amountMinor } of added) {
    const lines = own.filter(({ paymentId }) => paymentId === id)
    assert.equal(sum(lines), status === 'completed' ? -amountMinor : 0)
    assert.equal(lines.length, status === 'completed' ? 1 : status === 'refunded' ? 2 : 0)
  }
}
