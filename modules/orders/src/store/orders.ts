import type { Collector, Queryable } from '@headrace/database'
import type { Order, OrderStatus } from '../domain/order.ts'

/** An order with its times: placed by the clock of the process that took it, changed by the database's. */
export interface StoredOrder extends Order {
  readonly createdAt: Date
  readonly updatedAt: Date
}

interface OrderRow {
  readonly id: string
  readonly user_id: string
  readonly amount_minor: number
  readonly currency: string
  readonly status: OrderStatus
  readonly payment_id: string | null
  readonly error_reason: string
  readonly complete_ms: number | null
  readonly created_at: Date
  readonly updated_at: Date
}

const columns = `id, user_id, amount_minor, currency, status, payment_id, error_reason,
  (extract(epoch from complete_at) * 1000)::float8 as complete_ms, created_at, updated_at`

/** Records orders that were just placed. */
export const newOrders: Collector<StoredOrder> = {
  name: 'orders.insert-orders',
  rank: 0,
  statement: (orders) => ({
    name: 'orders.insert-orders',
    text: `insert into orders.customer_order (id, user_id, amount_minor, currency, created_at, updated_at)
           select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[], $6::timestamptz[])`,
    values: [
      orders.map(({ id }) => id),
      orders.map(({ userId }) => userId),
      orders.map(({ amountMinor }) => amountMinor),
      orders.map(({ currency }) => currency),
      orders.map(({ createdAt }) => createdAt),
      orders.map(({ updatedAt }) => updatedAt),
    ],
  }),
}

export async function findOrder(database: Queryable, id: string): Promise<StoredOrder | undefined> {
  const { rows } = await database.query<OrderRow>({
    name: 'orders.find-order',
    text: `select ${columns} from orders.customer_order where id = $1`,
    values: [id],
  })
  return rows.map(toOrder)[0]
}

/** Locks orders by their ids, in one order: against cancellation, completion, and whoever has the same message. */
export async function lockOrders(tx: Queryable, ids: readonly string[]): Promise<StoredOrder[]> {
  const { rows } = await tx.query<OrderRow>({
    name: 'orders.lock-orders',
    text: `select ${columns} from orders.customer_order where id = any($1) order by id for update`,
    values: [ids],
  })
  return rows.map(toOrder)
}

/**
 * Locks paid orders whose time to complete has come; those that somebody else works on are left to them. By `now()`,
 * because no index serves what `clock_timestamp()` is compared with: all that wait would be read.
 */
export async function lockDueOrders(tx: Queryable, limit: number): Promise<StoredOrder[]> {
  const { rows } = await tx.query<OrderRow>({
    name: 'orders.lock-due-orders',
    replan: true,
    text: `select ${columns} from orders.customer_order
           where status = 'paid' and complete_at <= now() order by complete_at limit $1 for update skip locked`,
    values: [limit],
  })
  return rows.map(toOrder)
}

/**
 * Writes the state of orders that this transaction has locked; of one that changed twice, the last. Their ids are given
 * twice, because the plan of a join alone, made while there were few orders, would read all of them later.
 */
export const changedOrders: Collector<StoredOrder> = {
  name: 'orders.update-orders',
  rank: 1,
  statement: (changes) => {
    const orders = [...new Map(changes.map((order) => [order.id, order])).values()]
    return {
      name: 'orders.update-orders',
      text: `update orders.customer_order set status = c.new_status, payment_id = c.new_payment_id,
             error_reason = c.new_reason, complete_at = to_timestamp(c.new_complete_ms / 1000),
             updated_at = c.new_updated_at
           from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::float8[], $6::timestamptz[])
             as c(order_id, new_status, new_payment_id, new_reason, new_complete_ms, new_updated_at)
           where id = c.order_id and id = any($1)`,
      values: [
        orders.map(({ id }) => id),
        orders.map(({ status }) => status),
        orders.map(({ paymentId }) => (paymentId === '' ? null : paymentId)),
        orders.map(({ errorReason }) => errorReason),
        orders.map(({ completeAtMs }) => completeAtMs ?? null),
        orders.map(({ updatedAt }) => updatedAt),
      ],
    }
  },
}

/** A place in the list of a user's orders. */
export interface OrderPlace {
  readonly createdAtMs: number
  readonly id: string
}

export interface OrderPage {
  readonly userId: string
  /** The last order of the page before. */
  readonly behind: OrderPlace | undefined
  readonly limit: number
}

/** A user's orders, newest first. */
export async function listOrders(database: Queryable, { userId, behind, limit }: OrderPage): Promise<StoredOrder[]> {
  const { rows } = await database.query<OrderRow>({
    name: behind === undefined ? 'orders.list-orders' : 'orders.list-orders-behind',
    text: `select ${columns} from orders.customer_order where user_id = $1
           ${behind === undefined ? '' : 'and (created_at, id) < (to_timestamp($3::float8 / 1000), $4::uuid)'}
           order by created_at desc, id desc limit $2`,
    values: [userId, limit, ...(behind === undefined ? [] : [behind.createdAtMs, behind.id])],
  })
  return rows.map(toOrder)
}

function toOrder(row: OrderRow): StoredOrder {
  return {
    id: row.id,
    userId: row.user_id,
    amountMinor: row.amount_minor,
    currency: row.currency,
    status: row.status,
    paymentId: row.payment_id ?? '',
    errorReason: row.error_reason,
    ...(row.complete_ms !== null && { completeAtMs: row.complete_ms }),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
