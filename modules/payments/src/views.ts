import { wireAmount } from './domain/amounts.ts'
import type { AccountRow } from './store/accounts.ts'
import type { EntryRow } from './store/entries.ts'
import type { PaymentRow } from './store/payments.ts'

/** A new account as its creator sees it. */
export function newAccountView({ id, user_id, balance_minor, created_at }: AccountRow) {
  return { id, user_id, balance: wireAmount(balance_minor), created_at: created_at.toISOString() }
}

/** An account as its owner sees it. */
export function accountView(row: AccountRow) {
  return { ...newAccountView(row), updated_at: row.updated_at.toISOString() }
}

/** An account after money came in. */
export interface ToppedUp {
  readonly id: string
  readonly userId: string
  readonly balanceMinor: number
  readonly updatedAt: Date
}

export function topUpView({ id, userId, balanceMinor, updatedAt }: ToppedUp) {
  return { id, user_id: userId, balance: wireAmount(balanceMinor), updated_at: updatedAt.toISOString() }
}

export function entryView(row: EntryRow) {
  return {
    id: row.id,
    kind: row.kind,
    amount: wireAmount(row.amount_minor),
    balance_after: wireAmount(row.balance_after_minor),
    ...(row.order_id !== null && { order_id: row.order_id }),
    ...(row.payment_id !== null && { payment_id: row.payment_id }),
    created_at: row.created_at.toISOString(),
  }
}

export function paymentView(row: PaymentRow) {
  return {
    id: row.id,
    order_id: row.order_id,
    user_id: row.user_id,
    amount: wireAmount(row.amount_minor),
    currency: row.currency,
    status: row.status,
    ...(row.transaction_id !== null && { transaction_id: row.transaction_id }),
    ...(row.error_message !== null && { error_message: row.error_message }),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  }
}
