import type { Collector, Queryable, Statement } from '@headrace/database'
import type { Payment, PaymentStatus } from '../domain/payment.ts'

/** The payment of an order. */
export interface PaymentRow {
  readonly id: string
  readonly order_id: string
  readonly user_id: string
  readonly amount_minor: number
  readonly currency: string
  readonly status: PaymentStatus
  readonly transaction_id: string | null
  readonly error_message: string | null
  /** In ms since the epoch. */
  readonly due_ms: number
  readonly created_at: Date
  readonly updated_at: Date
}

const columns = `id, order_id, user_id, amount_minor, currency, status, transaction_id, error_message,
  (extract(epoch from due_at) * 1000)::float8 as due_ms, created_at, updated_at`

/**
 * Locks the payments of these orders, and those of these customers that wait for money and are in time; oldest first.
 * Against the deadline, which locks payments alone, and against whoever has the same order twice.
 */
export async function lockPayments(
  tx: Queryable,
  { orderIds, waitingOf }: { readonly orderIds: readonly string[]; readonly waitingOf: readonly string[] },
): Promise<Payment[]> {
  const { rows } = await tx.query<PaymentRow>(
    waitingOf.length === 0 ? ofOrders(orderIds) : andWaiting(orderIds, waitingOf),
  )
  return rows.map(toPayment)
}

function ofOrders(orderIds: readonly string[]): Statement {
  return {
    name: 'payments.lock-payments-of-orders',
    text: `select ${columns} from payments.payment where order_id = any($1) order by created_at, id for update`,
    values: [orderIds],
  }
}

function andWaiting(orderIds: readonly string[], waitingOf: readonly string[]): Statement {
  return {
    name: 'payments.lock-payments',
    replan: true,
    text: `select ${columns} from payments.payment where id in (
             select id from payments.payment where order_id = any($1)
             union all
             select id from payments.payment
               where user_id = any($2) and status = 'pending' and due_at > clock_timestamp())
           order by created_at, id for update`,
    values: [orderIds, waitingOf],
  }
}

/**
 * Locks payments whose deadline has passed, oldest first; those that somebody else works on are left to them. By `now()`,
 * because no index serves what `clock_timestamp()` is compared with: all that wait would be read.
 */
export async function lockOverdue(tx: Queryable, limit: number): Promise<Payment[]> {
  const { rows } = await tx.query<PaymentRow>({
    name: 'payments.lock-overdue',
    replan: true,
    text: `select ${columns} from payments.payment where status = 'pending' and due_at <= now()
           order by due_at limit $1 for update skip locked`,
    values: [limit],
  })
  return rows.map(toPayment)
}

/** Adds payments. An order that has one makes it fail by the unique index. */
export const newPayments: Collector<Payment> = {
  name: 'payments.insert-payments',
  rank: 2,
  statement: (payments) => ({
    name: 'payments.insert-payments',
    text: `insert into payments.payment (id, order_id, user_id, amount_minor, currency, status, transaction_id,
             error_message, due_at)
           select id, order_id, user_id, amount_minor, currency, status, transaction_id, error_message,
             to_timestamp(due_ms / 1000)
           from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::uuid[], $8::text[],
             $9::float8[]) with ordinality as new(id, order_id, user_id, amount_minor, currency, status, transaction_id,
             error_message, due_ms, place)
           order by place`,
    values: [
      payments.map(({ id }) => id),
      payments.map(({ orderId }) => orderId),
      payments.map(({ userId }) => userId),
      payments.map(({ amountMinor }) => amountMinor),
      payments.map(({ currency }) => currency),
      payments.map(({ status }) => status),
      payments.map(({ transactionId }) => transactionId ?? null),
      payments.map(({ errorMessage }) => errorMessage ?? null),
      payments.map(({ dueAtMs }) => dueAtMs),
    ],
  }),
}

/** Writes the state of payments that this transaction has locked. The ids twice: see `newBalances`. */
export const changedPayments: Collector<Payment> = {
  name: 'payments.update-payments',
  rank: 3,
  statement: (payments) => ({
    name: 'payments.update-payments',
    text: `update payments.payment p set status = c.status, transaction_id = c.transaction_id,
             error_message = c.error_message, updated_at = clock_timestamp()
           from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[]) as c(id, status, transaction_id, error_message)
           where p.id = c.id and p.id = any($1)`,
    values: [
      payments.map(({ id }) => id),
      payments.map(({ status }) => status),
      payments.map(({ transactionId }) => transactionId ?? null),
      payments.map(({ errorMessage }) => errorMessage ?? null),
    ],
  }),
}

export async function findPaymentOf(database: Queryable, orderId: string): Promise<PaymentRow | undefined> {
  const { rows } = await database.query<PaymentRow>({
    name: 'payments.find-payment',
    text: `select ${columns} from payments.payment where order_id = $1`,
    values: [orderId],
  })
  return rows[0]
}

function toPayment(row: PaymentRow): Payment {
  return {
    id: row.id,
    orderId: row.order_id,
    userId: row.user_id,
    amountMinor: row.amount_minor,
    currency: row.currency,
    dueAtMs: row.due_ms,
    status: row.status,
    ...(row.transaction_id !== null && { transactionId: row.transaction_id }),
    ...(row.error_message !== null && { errorMessage: row.error_message }),
  }
}
