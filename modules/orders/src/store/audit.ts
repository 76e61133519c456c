import type { Queryable } from '@headrace/database'
import type { OrderStatus } from '../domain/order.ts'

/** How an order stands. */
export interface OrderState {
  readonly id: string
  readonly userId: string
  readonly status: OrderStatus
  readonly amountMinor: number
  readonly paymentId: string
}

interface StateRow {
  readonly id: string
  readonly user_id: string
  readonly status: OrderStatus
  readonly amount_minor: number
  readonly payment_id: string | null
}

/** Orders sorted by id, behind one of them. */
export async function orderStates(database: Queryable, after: string, limit: number): Promise<OrderState[]> {
  const { rows } = await database.query<StateRow>({
    text: `select id, user_id, status, amount_minor, payment_id from orders.customer_order where id > $1 order by id limit $2`,
    values: [after, limit],
  })
  return rows.map(toState)
}

/** These orders, as far as they are there. */
export async function orderStatesOf(database: Queryable, ids: readonly string[]): Promise<OrderState[]> {
  const { rows } = await database.query<StateRow>({
    text: `select id, user_id, status, amount_minor, payment_id from orders.customer_order where id = any($1)`,
    values: [ids],
  })
  return rows.map(toState)
}

function toState(row: StateRow): OrderState {
  const { id, user_id: userId, status, amount_minor: amountMinor, payment_id: paymentId } = row
  return { id, userId, status, amountMinor, paymentId: paymentId ?? '' }
}
