import type { Queryable } from '@headrace/database'
import type { Payload } from '../domain/amount.ts'
import type { AppliedOrder } from '../domain/applied-order.ts'

interface OrderRow {
  readonly order_id: string
  readonly user_id: string
  readonly external_id: string | null
  readonly amount_minor: number
  readonly payload: string
  readonly status: AppliedOrder['status']
  readonly created_at: Date
  readonly updated_at: Date
}

/** Locks the worker's orders against other batches, in the order of ids; those that there are. */
export async function lockApplied(tx: Queryable, orderIds: readonly string[]): Promise<AppliedOrder[]> {
  const { rows } = await tx.query<OrderRow>({
    name: 'order-intake.lock-applied',
    replan: true,
    text: `select order_id, user_id, external_id, amount_minor, payload, status, created_at, updated_at
           from order_intake_worker.orders where order_id = any($1) order by order_id for update`,
    values: [orderIds],
  })
  return rows.map(toApplied)
}

/** The bucket of each of these orders, whether it is there or not. */
export async function bucketsOf(tx: Queryable, orderIds: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await tx.query<{ id: string; bucket: number }>({
    name: 'order-intake.buckets',
    text: `select id, (select n from generate_series(0, 3) n
             where satisfies_hash_partition('order_intake_worker.orders'::regclass, 4, n, id)) as bucket
           from unnest($1::uuid[]) as id`,
    values: [orderIds],
  })
  return new Map(rows.map(({ id, bucket }) => [id, bucket]))
}

/** Changes orders that are locked. */
export function updateApplied(tx: Queryable, orders: readonly AppliedOrder[]): Promise<void> {
  const conflict = `on conflict (order_id) do update set external_id = excluded.external_id,
             amount_minor = excluded.amount_minor, payload = excluded.payload, status = excluded.status,
             updated_at = excluded.updated_at`
  return save(tx, orders, { name: 'order-intake.update-applied', conflict })
}

/**
 * Stores orders that were not there. Where another batch has created one of them meanwhile it fails, and what is handled
 * again sees that one.
 */
export function insertApplied(tx: Queryable, orders: readonly AppliedOrder[]): Promise<void> {
  return save(tx, orders, { name: 'order-intake.insert-applied', conflict: '' })
}

async function save(
  tx: Queryable,
  orders: readonly AppliedOrder[],
  { name, conflict }: { readonly name: string; readonly conflict: string },
): Promise<void> {
  if (orders.length === 0) return
  const sorted = orders.toSorted((a, b) => (a.orderId < b.orderId ? -1 : 1))
  const of = <T>(pick: (order: AppliedOrder) => T) => sorted.map(pick)
  await tx.query({
    name,
    text: `insert into order_intake_worker.orders (order_id, user_id, external_id, amount_minor, payload, status,
             created_at, updated_at)
           select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[],
             $7::timestamptz[], $8::timestamptz[])
           ${conflict}`,
    values: [
      of(({ orderId }) => orderId),
      of(({ userId }) => userId),
      of(({ externalId }) => externalId ?? null),
      of(({ amountMinor }) => amountMinor),
      of(({ payload }) => JSON.stringify(payload)),
      of(({ status }) => status),
      of(({ createdAt }) => createdAt),
      of(({ updatedAt }) => updatedAt),
    ],
  })
}

function toApplied(row: OrderRow): AppliedOrder {
  return {
    orderId: row.order_id,
    userId: row.user_id,
    externalId: row.external_id ?? undefined,
    amountMinor: row.amount_minor,
    // Written by `save` only.
    payload: JSON.parse(row.payload) as Payload,
    status: row.status,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  }
}
