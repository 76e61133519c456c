import type { LogTransaction } from '@headrace/log'
import { wireAmount } from './domain/amounts.ts'
import type { Payment } from './domain/payment.ts'
import type { Till } from './domain/till.ts'
import { newBalances } from './store/accounts.ts'
import { newEntries } from './store/entries.ts'
import { changedPayments, newPayments } from './store/payments.ts'
import { toMessage } from './wire/envelope.ts'
import { paymentsTopic } from './wire/payment-event.ts'

/** Where the events of a settlement come from and when. */
export interface SettleContext {
  readonly newId: () => string
  readonly nowMs: number
  /** The `traceparent` of what caused an order's change. */
  readonly traceOf: (orderId: string) => string | undefined
}

/** Writes what a till has decided, and tells it, with the COMMIT of the transaction that locked what the till holds. */
export function settle(tx: LogTransaction, till: Till, context: SettleContext): void {
  const { added, changed, purses, entries, told } = till.changes
  for (const purse of purses) tx.collect(newBalances, { ...purse, atMs: context.nowMs })
  for (const payment of added) tx.collect(newPayments, payment)
  for (const payment of changed) tx.collect(changedPayments, payment)
  for (const entry of entries) tx.collect(newEntries, entry)
  for (const payment of told) tell(tx, payment, context)
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
