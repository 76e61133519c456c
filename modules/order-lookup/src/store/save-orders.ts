import type { Queryable, Rows } from '@headrace/database'
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
 * Stores versions, at most one of each order and in the order of ids, where none newer is stored. Locks the orders' rows
 * in that order against other batches. Its rows tell what was stored.
 */
export function saveHeads(tx: Queryable, versions: readonly VersionedOrder[]): Promise<Rows<SavedOrder>> {
  const of = <T>(pick: (order: Order) => T) => versions.map(({ order }) => pick(order))
  return tx.query<SavedOrder>({
    name: 'order-lookup.save-heads',
    text: `insert into order_lookup.orders as o (order_uid, track_number, entry, locale, internal_signature, customer_id,
             delivery_service, shardkey, sm_id, date_created, oof_shard,
             version_at, version_origin, version_partition, version_offset)
           select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
             $8::text[], $9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::text[], $14::int[], $15::bigint[])
           on conflict (order_uid) do update set track_number = excluded.track_number, entry = excluded.entry,
             locale = excluded.locale, internal_signature = excluded.internal_signature,
             customer_id = excluded.customer_id, delivery_service = excluded.delivery_service,
             shardkey = excluded.shardkey, sm_id = excluded.sm_id, date_created = excluded.date_created,
             oof_shard = excluded.oof_shard, version_at = excluded.version_at,
             version_origin = excluded.version_origin, version_partition = excluded.version_partition,
             version_offset = excluded.version_offset
           where (o.version_at, o.version_origin, o.version_partition, o.version_offset)
             < (excluded.version_at, excluded.version_origin, excluded.version_partition, excluded.version_offset)
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
      ...spotsOf(versions),
    ],
  })
}

/**
 * Stores what belongs to the versions that `saveHeads` has stored before in this transaction. None of the statements waits
 * for another's answer, so that all of them share a flight.
 */
export async function saveParts(tx: Queryable, versions: readonly VersionedOrder[]): Promise<void> {
  await Promise.all([
    saveDeliveries(tx, versions),
    savePayments(tx, versions),
    removeItems(tx, versions),
    insertItems(tx, versions),
  ])
}

/** A version's place, unique among versions: what is stored with it belongs to it. */
function spotsOf(versions: readonly VersionedOrder[]): [string[], number[], number[]] {
  return [
    versions.map(({ version }) => version.origin),
    versions.map(({ version }) => version.partition),
    versions.map(({ version }) => version.offset),
  ]
}

/** SQL: the orders whose stored version is the one given in the first four parameters, as `mine`. */
const mine = `select v.order_uid, v.n from unnest($1::text[], $2::text[], $3::int[], $4::bigint[])
    with ordinality as v(order_uid, origin, partition, "offset", n)
  join order_lookup.orders o on o.order_uid = v.order_uid and o.version_origin = v.origin
    and o.version_partition = v.partition and o.version_offset = v."offset"`

function mineOf(versions: readonly VersionedOrder[]): [string[], string[], number[], number[]] {
  return [versions.map(({ id }) => id), ...spotsOf(versions)]
}

async function saveDeliveries(tx: Queryable, versions: readonly VersionedOrder[]): Promise<void> {
  const of = <T>(pick: (delivery: Order['delivery']) => T) => versions.map(({ order }) => pick(order.delivery))
  await tx.query({
    name: 'order-lookup.save-deliveries',
    replan: true,
    text: `with mine as (${mine})
           insert into order_lookup.deliveries (order_uid, name, phone, zip, city, address, region, email)
           select mine.order_uid, d.name, d.phone, d.zip, d.city, d.address, d.region, d.email
           from mine join unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
             with ordinality as d(name, phone, zip, city, address, region, email, n) using (n)
           on conflict (order_uid) do update set name = excluded.name, phone = excluded.phone, zip = excluded.zip,
             city = excluded.city, address = excluded.address, region = excluded.region, email = excluded.email`,
    values: [
      ...mineOf(versions),
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

async function savePayments(tx: Queryable, versions: readonly VersionedOrder[]): Promise<void> {
  const of = <T>(pick: (payment: Order['payment']) => T) => versions.map(({ order }) => pick(order.payment))
  await tx.query({
    name: 'order-lookup.save-payments',
    replan: true,
    text: `with mine as (${mine})
           insert into order_lookup.payments (order_uid, transaction, request_id, currency, provider, amount,
             payment_dt, bank, delivery_cost, goods_total, custom_fee)
           select mine.order_uid, p.transaction, p.request_id, p.currency, p.provider, p.amount, p.payment_dt, p.bank,
             p.delivery_cost, p.goods_total, p.custom_fee
           from mine join unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[],
               $11::text[], $12::bigint[], $13::bigint[], $14::bigint[])
             with ordinality as p(transaction, request_id, currency, provider, amount, payment_dt, bank, delivery_cost,
               goods_total, custom_fee, n) using (n)
           on conflict (order_uid) do update set transaction = excluded.transaction,
             request_id = excluded.request_id, currency = excluded.currency, provider = excluded.provider,
             amount = excluded.amount, payment_dt = excluded.payment_dt, bank = excluded.bank,
             delivery_cost = excluded.delivery_cost, goods_total = excluded.goods_total,
             custom_fee = excluded.custom_fee`,
    values: [
      ...mineOf(versions),
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

/** The items of the version before; another statement than the insert, which must not meet them. */
async function removeItems(tx: Queryable, versions: readonly VersionedOrder[]): Promise<void> {
  await tx.query({
    name: 'order-lookup.remove-items',
    replan: true,
    text: `with mine as (${mine}) delete from order_lookup.items i using mine where i.order_uid = mine.order_uid`,
    values: mineOf(versions),
  })
}

async function insertItems(tx: Queryable, versions: readonly VersionedOrder[]): Promise<void> {
  const items = versions.flatMap(({ order }, index) =>
    order.items.map((item, place) => ({ item, n: index + 1, ordinal: place + 1 })),
  )
  const of = <T>(pick: (item: Order['items'][number]) => T) => items.map(({ item }) => pick(item))
  await tx.query({
    name: 'order-lookup.insert-items',
    replan: true,
    text: `with mine as (${mine})
           insert into order_lookup.items (order_uid, ordinal, chrt_id, track_number, price, rid, name, sale, size,
             total_price, nm_id, brand, status)
           select mine.order_uid, i.ordinal, i.chrt_id, i.track_number, i.price, i.rid, i.name, i.sale, i.size,
             i.total_price, i.nm_id, i.brand, i.status
           from mine join unnest($5::bigint[], $6::int[], $7::bigint[], $8::text[], $9::bigint[], $10::text[],
               $11::text[], $12::bigint[], $13::text[], $14::bigint[], $15::bigint[], $16::text[], $17::bigint[])
             as i(n, ordinal, chrt_id, track_number, price, rid, name, sale, size, total_price, nm_id, brand, status)
             using (n)`,
    values: [
      ...mineOf(versions),
      items.map(({ n }) => n),
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
