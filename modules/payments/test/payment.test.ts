import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Charge, decide, evolve, type Payment, type PaymentCommand } from '../src/domain/payment.ts'

const charge: Charge = { orderId: 'o', userId: 'u', amountMinor: 100, currency: 'USD', dueAtMs: 1_000 }

function newId(): string {
  return 'id'
}

/** The payment that a history of commands leaves behind. */
function given(...commands: readonly PaymentCommand[]): Payment | undefined {
  return commands.reduce<Payment | undefined>((payment, command) => {
    return decide(payment, command, newId).reduce<Payment | undefined>(evolve, payment)
  }, undefined)
}

const charged = (balanceMinor: number | undefined, nowMs = 0): PaymentCommand => ({
  kind: 'charge',
  charge,
  balanceMinor,
  nowMs,
})
const retried = (balanceMinor: number, nowMs = 0): PaymentCommand => ({ kind: 'retry', balanceMinor, nowMs })
const expired = (nowMs: number): PaymentCommand => ({ kind: 'expire', nowMs })
const cancelled: PaymentCommand = { kind: 'cancel', charge }

const asStatus = (payment: Payment | undefined) => [payment?.status, payment?.errorMessage]

describe('a payment', () => {
  it('is made at once where there is enough money', () => {
    assert.deepEqual(asStatus(given(charged(100))), ['completed', undefined])
  })

  it('waits where there is not, and is made when there is', () => {
    assert.deepEqual(asStatus(given(charged(99))), ['pending', undefined])
    assert.deepEqual(asStatus(given(charged(99), retried(99))), ['pending', undefined])
    assert.deepEqual(asStatus(given(charged(99), retried(100))), ['completed', undefined])
  })

  it('is tried once however late its order comes, and then fails', () => {
    assert.deepEqual(asStatus(given(charged(100, 5_000))), ['completed', undefined])
    assert.deepEqual(asStatus(given(charged(99, 5_000))), ['failed', 'Payment timed out'])
  })

  it('fails when its time is up, not before, and money that comes then is too late', () => {
    assert.deepEqual(asStatus(given(charged(0), expired(999))), ['pending', undefined])
    assert.deepEqual(asStatus(given(charged(0), expired(1_000))), ['failed', 'Payment timed out'])
    assert.deepEqual(asStatus(given(charged(0), retried(100, 1_000))), ['pending', undefined])
    assert.deepEqual(asStatus(given(charged(0), expired(1_000), retried(100))), ['failed', 'Payment timed out'])
  })

  it('of an unknown account fails at once', () => {
    assert.deepEqual(asStatus(given(charged(undefined))), ['failed', 'Account not found'])
  })

  it('that waits fails with its order, and one that was made goes back, once', () => {
    assert.deepEqual(asStatus(given(charged(0), cancelled)), ['failed', 'Order cancelled'])
    assert.deepEqual(asStatus(given(charged(100), cancelled)), ['refunded', undefined])
    const refunded = given(charged(100), cancelled)
    assert.deepEqual(decide(refunded, cancelled, newId), [])
  })

  it('is never made for an order whose cancellation came first', () => {
    assert.deepEqual(asStatus(given(cancelled, charged(100))), ['failed', 'Order cancelled'])
  })

  it('that is over stays as it is, whatever comes', () => {
    const commands = [charged(100), charged(undefined), retried(1_000), expired(9_999), cancelled]
    for (const final of [
      given(charged(undefined)),
      given(charged(0), expired(1_000)),
      given(charged(100), cancelled),
    ]) {
      for (const command of commands) assert.deepEqual(decide(final, command, newId), [], command.kind)
    }
    const completed = given(charged(100))
    for (const command of commands.slice(0, -1)) assert.deepEqual(decide(completed, command, newId), [], command.kind)
  })
})
