import type { Collector, Queryable } from '@headrace/database'
import type { Entry, MovementKind } from '../domain/ledger.ts'

/** A line of a customer's account. */
export interface EntryRow {
  readonly seq: number
  readonly id: string
  readonly kind: MovementKind
  readonly amount_minor: number
  readonly balance_after_minor: number
  readonly order_id: string | null
  readonly payment_id: string | null
  readonly created_at: Date
}

/** Adds lines to the ledger, in this order. A payment's second debit or refund makes it fail by the unique index. */
export const newEntries: Collector<Entry> = {
  name: 'payments.insert-entries',
  rank: 4,
  statement: (entries) => ({
    name: 'payments.insert-entries',
    text: `insert into payments.entry (id, movement_id, kind, user_id, house, amount_minor, balance_after_minor,
             order_id, payment_id)
           select id, movement_id, kind, user_id, house, amount_minor, balance_after_minor, order_id, payment_id
           from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::bigint[], $7::bigint[],
             $8::uuid[], $9::uuid[]) with ordinality as new(id, movement_id, kind, user_id, house, amount_minor,
             balance_after_minor, order_id, payment_id, place)
           order by place`,
    values: [
      entries.map(({ id }) => id),
      entries.map(({ movementId }) => movementId),
      entries.map(({ kind }) => kind),
      entries.map(({ userId }) => userId ?? null),
      entries.map(({ house }) => house ?? null),
      entries.map(({ amountMinor }) => amountMinor),
      entries.map(({ balanceAfterMinor }) => balanceAfterMinor ?? null),
      entries.map(({ orderId }) => orderId ?? null),
      entries.map(({ paymentId }) => paymentId ?? null),
    ],
  }),
}

/** A customer's lines, newest first, before the line `before` where it is given. */
export async function listEntries(
  database: Queryable,
  of: { readonly userId: string; readonly before: number | undefined; readonly limit: number },
): Promise<EntryRow[]> {
  const { rows } = await database.query<EntryRow>({
    name: 'payments.list-entries',
    text: `select seq, id, kind, amount_minor, balance_after_minor, order_id, payment_id, created_at
           from payments.entry where user_id = $1 and seq < $2 order by seq desc limit $3`,
    values: [of.userId, of.before ?? Number.MAX_SAFE_INTEGER, of.limit],
  })
  return rows
}
