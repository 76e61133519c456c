import type { Queryable } from '@headrace/database'
import type { AcceptedOrder } from '../domain/accepted-order.ts'
import type { Payload } from '../domain/amount.ts'

/** An accepted order and where it is kept. */
export interface StoredOrder extends AcceptedOrder {
  readonly bucket: number
}

interface OrderRow {
  readonly order_id: string
  readonly user_id: string
  readonly external_id: string | null
  readonly amount_minor: number
  readonly payload: string
  readonly status: AcceptedOrder['status']
  readonly created_at: Date
  readonly updated_at: Date
  readonly pending_event_id: string | null
  readonly is_applied: boolean
  readonly bucket: number
}

/** The bucket is the last digit of the partition's name. */
const columns = `o.order_id, o.user_id, o.external_id, o.amount_minor, o.payload, o.status, o.created_at, o.updated_at,
  o.pending_event_id, o.is_applied, right(o.tableoid::regclass::text, 1)::int as bucket`

export async function findOrder(database: Queryable, orderId: string): Promise<StoredOrder | undefined> {
  const { rows } = await database.query<OrderRow>({
    name: 'order-intake.find',
    text: `select ${columns} from order_intake_api.orders o where o.order_id = $1`,
    values: [orderId],
  })
  return rows[0] && toStored(rows[0])
}

/** The order of a user that has this external id; no deleted one has. */
export async function findByExternalId(
  database: Queryable,
  userId: string,
  externalId: string,
): Promise<StoredOrder | undefined> {
  const { rows } = await database.query<OrderRow>({
    name: 'order-intake.find-by-external-id',
    text: `select ${columns} from order_intake_api.orders o where o.order_id = (
             select order_id from order_intake_api.external_id where user_id = $1 and external_id = $2)`,
    values: [userId, externalId],
  })
  return rows[0] && toStored(rows[0])
}

/** Locks orders against all who change them, in the order of ids; those that there are. */
export async function lockOrders(tx: Queryable, orderIds: readonly string[]): Promise<StoredOrder[]> {
  const { rows } = await tx.query<OrderRow>({
    name: 'order-intake.lock',
    replan: true,
    text: `select ${columns} from order_intake_api.orders o where o.order_id = any($1) order by o.order_id for update`,
    values: [orderIds],
  })
  return rows.map(toStored)
}

/** Stores orders that are locked or new. */
export async function saveOrders(tx: Queryable, orders: readonly AcceptedOrder[]): Promise<void> {
  const of = <T>(pick: (order: AcceptedOrder) => T) => orders.map(pick)
  await tx.query({
    name: 'order-intake.save',
    text: `insert into order_intake_api.orders (order_id, user_id, external_id, amount_minor, payload, status,
             created_at, updated_at, pending_event_id, is_applied)
           select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[],
             $7::timestamptz[], $8::timestamptz[], $9::uuid[], $10::boolean[])
           on conflict (order_id) do update set external_id = excluded.external_id,
             amount_minor = excluded.amount_minor, payload = excluded.payload, status = excluded.status,
             updated_at = excluded.updated_at, pending_event_id = excluded.pending_event_id,
             is_applied = excluded.is_applied`,
    values: [
      of(({ orderId }) => orderId),
      of(({ userId }) => userId),
      of(({ externalId }) => externalId ?? null),
      of(({ amountMinor }) => amountMinor),
      of(({ payload }) => JSON.stringify(payload)),
      of(({ status }) => status),
      of(({ createdAt }) => createdAt),
      of(({ updatedAt }) => updatedAt),
      of(({ pendingEventId }) => pendingEventId ?? null),
      of(({ isApplied }) => isApplied),
    ],
  })
}

/** Removes an order whose very first event was refused. */
export async function removeOrders(tx: Queryable, orderIds: readonly string[]): Promise<void> {
  await tx.query({
    name: 'order-intake.remove',
    text: 'delete from order_intake_api.orders where order_id = any($1)',
    values: [orderIds],
  })
}

/** The database's clock, as RFC 3339 with milliseconds. */
export async function databaseTime(database: Queryable): Promise<string> {
  const { rows } = await database.query<{ now: Date }>({
    name: 'order-intake.now',
    text: 'select clock_timestamp() as now',
  })
  return (rows[0]?.now ?? new Date(Number.NaN)).toISOString()
}

function toStored(row: OrderRow): StoredOrder {
  return {
    orderId: row.order_id,
    userId: row.user_id,
    externalId: row.external_id ?? undefined,
    amountMinor: row.amount_minor,
    // Written by `saveOrders` only.
    payload: JSON.parse(row.payload) as Payload,
    status: row.status,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    pendingEventId: row.pending_event_id ?? undefined,
    isApplied: row.is_applied,
    bucket: row.bucket,
  }
}
