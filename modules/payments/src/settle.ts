import type { LogTransaction } from '@headrace/log'
import { wireAmount } from './domain/amounts.ts'
import type { Payment } from './domain/payment.ts'
import type { Till } from './domain/till.ts'
import { type AccountRow, updateBalances } from './store/accounts.ts'
import { insertEntries } from './store/entries.ts'
import { insertPayments, updatePayments } from './store/payments.ts'
import { toMessage } from './wire/envelope.ts'
import { paymentsTopic } from './wire/payment-event.ts'

/** Where the events of a settlement come from and when. */
export interface SettleContext {
  readonly newId: () => string
  readonly nowMs: number
  /** The `traceparent` of what caused an order's change. */
  readonly traceOf: (orderId: string) => string | undefined
}

/**
 * Writes what a till has decided, and tells it, in the transaction that locked what the till holds. Returns the accounts
 * whose balance changed.
 */
export async function settle(tx: LogTransaction, till: Till, context: SettleContext): Promise<readonly AccountRow[]> {
  const { added, changed, purses, entries, told } = till.changes
  // One flight; a refused statement fails the transaction.
  const written = await Promise.all([
    purses.length === 0 ? [] : updateBalances(tx, purses),
    added.length === 0 ? undefined : insertPayments(tx, added),
    changed.length === 0 ? undefined : updatePayments(tx, changed),
    entries.length === 0 ? undefined : insertEntries(tx, entries),
  ])
  for (const payment of told) tell(tx, payment, context)
  return written[0]
}

/** Tells others how a payment stands. A refund is nobody's business but the account's: orders have cancelled already. */
function tell(tx: LogTransaction, payment: Payment, { newId, nowMs, traceOf }: SettleContext): void {
  const { id, orderId, userId, amountMinor, currency, status, transactionId, errorMessage } = payment
  if (status === 'refunded') return
  const about = { payment_id: id, order_id: orderId, user_id: userId, amount: wireAmount(amountMinor), currency }
  const data = {
    ...about,
    ...(status === 'completed' && { transaction_id: transactionId }),
    ...(status === 'failed' && { error_message: errorMessage }),
  }
  const type = `payment.${status}`
  tx.append(toMessage({ topic: paymentsTopic, type, id: newId(), orderId, data, atMs: nowMs, trace: traceOf(orderId) }))
}
