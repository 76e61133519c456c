import type { Queryable } from '@headrace/database'
import type { Order } from '../domain/order.ts'
import type { Version } from '../domain/versions.ts'

/** A version of an order. */
export interface VersionedOrder {
  readonly id: string
  readonly order: Order
  readonly version: Version
}

/** An order that was stored, and whether in the place of an older version. */
export interface SavedOrder {
  readonly id: string
  readonly replaced: boolean
}

/**
 * Stores versions, at most one of each order and in the order of ids, where none newer is stored: see
 * `compareVersions`. Locks the orders' rows in that order against other batches. Its rows tell what was stored.
 */
export async function saveHeads(tx: Queryable, versions: readonly VersionedOrder[]): Promise<readonly SavedOrder[]> {
  const of = <T>(pick: (order: Order) => T) => versions.map(({ order }) => pick(order))
  const { rows } = await tx.query<SavedOrder>({
    name: 'order-lookup.save-heads',
    text: `insert into order_lookup.orders as o (order_uid, track_number, entry, locale, internal_signature, customer_id,
             delivery_service, shardkey, sm_id, date_created, oof_shard,
             version_at, version_topic, version_origin, version_partition, version_offset)
           select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
             $8::text[], $9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::text[], $14::text[], $15::int[], $16::bigint[])
           on conflict (order_uid) do update set track_number = excluded.track_number, entry = excluded.entry,
             locale = excluded.locale, internal_signature = excluded.internal_signature,
             customer_id = excluded.customer_id, delivery_service = excluded.delivery_service,
             shardkey = excluded.shardkey, sm_id = excluded.sm_id, date_created = excluded.date_created,
             oof_shard = excluded.oof_shard, version_at = excluded.version_at,
             version_topic = excluded.version_topic, version_origin = excluded.version_origin,
             version_partition = excluded.version_partition, version_offset = excluded.version_offset
           where case
             when (o.version_topic, o.version_origin, o.version_partition)
               = (excluded.version_topic, excluded.version_origin, excluded.version_partition)
             then o.version_offset < excluded.version_offset
             else (o.version_at, o.version_origin, o.version_partition, o.version_offset)
               < (excluded.version_at, excluded.version_origin, excluded.version_partition, excluded.version_offset)
           end
           returning order_uid as id, xmax <> 0 as replaced`,
    values: [
      of(({ order_uid }) => order_uid),
      of(({ track_number }) => track_number),
      of(({ entry }) => entry),
      of(({ locale }) => locale),
      of(({ internal_signature }) => internal_signature),
      of(({ customer_id }) => customer_id),
      of(({ delivery_service }) => delivery_service),
      of(({ shardkey }) => shardkey),
      of(({ sm_id }) => sm_id),
      of(({ date_created }) => date_created),
      of(({ oof_shard }) => oof_shard),
      versions.map(({ version }) => version.atMs),
      versions.map(({ version }) => version.topic),
      versions.map(({ version }) => version.origin),
      versions.map(({ version }) => version.partition),
      versions.map(({ version }) => version.offset),
    ],
  })
  return rows
}

/**
 * Stores what belongs to the orders whose heads were stored before in this transaction. None of the statements waits for
 * another's answer, so that all of them share a flight.
 */
export async function saveParts(tx: Queryable, orders: readonly Order[], replaced: readonly string[]): Promise<void> {
  await Promise.all([
    ...(replaced.length > 0 ? [removeParts(tx, replaced)] : []),
    insertDeliveries(tx, orders),
    insertPayments(tx, orders),
    insertItems(tx, orders),
  ])
}

/** Those of the versions before. */
async function removeParts(tx: Queryable, ids: readonly string[]): Promise<void> {
  await tx.query({
    name: 'order-lookup.remove-parts',
    replan: true,
    text: `with d as (delete from order_lookup.deliveries where order_uid = any($1)),
             p as (delete from order_lookup.payments where order_uid = any($1))
           delete from order_lookup.items where order_uid = any($1)`,
    values: [ids],
  })
}

async function insertDeliveries(tx: Queryable, orders: readonly Order[]): Promise<void> {
  const of = <T>(pick: (delivery: Order['delivery']) => T) => orders.map(({ delivery }) => pick(delivery))
  await tx.query({
    name: 'order-lookup.insert-deliveries',
    text: `insert into order_lookup.deliveries (order_uid, name, phone, zip, city, address, region, email)
           select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
             $8::text[])`,
    values: [
      orders.map(({ order_uid }) => order_uid),
      of(({ name }) => name),
      of(({ phone }) => phone),
      of(({ zip }) => zip),
      of(({ city }) => city),
      of(({ address }) => address),
      of(({ region }) => region),
      of(({ email }) => email),
    ],
  })
}

async function insertPayments(tx: Queryable, orders: readonly Order[]): Promise<void> {
  const of = <T>(pick: (payment: Order['payment']) => T) => orders.map(({ payment }) => pick(payment))
  await tx.query({
    name: 'order-lookup.insert-payments',
    text: `insert into order_lookup.payments (order_uid, transaction, request_id, currency, provider, amount,
             payment_dt, bank, delivery_cost, goods_total, custom_fee)
           select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
             $8::text[], $9::bigint[], $10::bigint[], $11::bigint[])`,
    values: [
      orders.map(({ order_uid }) => order_uid),
      of(({ transaction }) => transaction),
      of(({ request_id }) => request_id),
      of(({ currency }) => currency),
      of(({ provider }) => provider),
      of(({ amount }) => amount),
      of(({ payment_dt }) => payment_dt),
      of(({ bank }) => bank),
      of(({ delivery_cost }) => delivery_cost),
      of(({ goods_total }) => goods_total),
      of(({ custom_fee }) => custom_fee),
    ],
  })
}

async function insertItems(tx: Queryable, orders: readonly Order[]): Promise<void> {
  const items = orders.flatMap(({ order_uid, items: own }) =>
    own.map((item, index) => ({ item, order_uid, ordinal: index + 1 })),
  )
  const of = <T>(pick: (item: Order['items'][number]) => T) => items.map(({ item }) => pick(item))
  await tx.query({
    name: 'order-lookup.insert-items',
    text: `insert into order_lookup.items (order_uid, ordinal, chrt_id, track_number, price, rid, name, sale, size,
             total_price, nm_id, brand, status)
           select * from unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[],
             $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::bigint[])`,
    values: [
      items.map(({ order_uid }) => order_uid),
      items.map(({ ordinal }) => ordinal),
      of(({ chrt_id }) => chrt_id),
      of(({ track_number }) => track_number),
      of(({ price }) => price),
      of(({ rid }) => rid),
      of(({ name }) => name),
      of(({ sale }) => sale),
      of(({ size }) => size),
      of(({ total_price }) => total_price),
      of(({ nm_id }) => nm_id),
      of(({ brand }) => brand),
      of(({ status }) => status),
    ],
  })
}
