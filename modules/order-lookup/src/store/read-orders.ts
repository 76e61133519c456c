import type { Queryable } from '@headrace/database'
import type { Item, Order } from '../domain/order.ts'

/** A stored order with what tells its version from others. */
export interface StoredOrder {
  readonly order: Order
  /** Equal for equal versions. */
  readonly version: string
  readonly atMs: number
}

interface OrderRow extends Omit<Order, 'delivery' | 'payment' | 'items'> {
  readonly version: string
  readonly version_at: number
  readonly delivery: readonly string[]
  readonly payment_texts: readonly string[]
  readonly payment_counts: readonly number[]
  readonly items: readonly ItemValues[]
}

type ItemValues = readonly [number, string, number, string, string, number, string, number, number, string, number]

const version = `o.version_at || '.' || o.version_partition || '.' || o.version_offset || '.' || o.version_origin`

const columns = `o.order_uid, o.track_number, o.entry, o.locale, o.internal_signature, o.customer_id,
  o.delivery_service, o.shardkey, o.sm_id, o.date_created, o.oof_shard, o.version_at, ${version} as version,
  array[d.name, d.phone, d.zip, d.city, d.address, d.region, d.email] as delivery,
  array[p.transaction, p.request_id, p.currency, p.provider, p.bank] as payment_texts,
  array[p.amount, p.payment_dt, p.delivery_cost, p.goods_total, p.custom_fee] as payment_counts,
  (select json_agg(json_build_array(i.chrt_id, i.track_number, i.price, i.rid, i.name, i.sale, i.size, i.total_price,
     i.nm_id, i.brand, i.status) order by i.ordinal) from order_lookup.items i where i.order_uid = o.order_uid) as items`

/** One statement for all four tables, so that no order is a mixture of two versions. */
const tables = `order_lookup.orders o
  join order_lookup.deliveries d on d.order_uid = o.order_uid
  join order_lookup.payments p on p.order_uid = o.order_uid`

/** The order with this id, if there is one. */
export async function findOrder(database: Queryable, id: string): Promise<StoredOrder | undefined> {
  const { rows } = await database.query<OrderRow>({
    name: 'order-lookup.find',
    text: `select ${columns} from ${tables} where o.order_uid = $1`,
    values: [id],
  })
  return rows[0] && toStored(rows[0])
}

/** The versions that orders have now; those that there are not are missing. */
export async function currentVersions(database: Queryable, ids: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await database.query<{ order_uid: string; version: string }>({
    name: 'order-lookup.versions',
    replan: true,
    text: `select o.order_uid, ${version} as version from order_lookup.orders o where o.order_uid = any($1)`,
    values: [ids],
  })
  return new Map(rows.map((row) => [row.order_uid, row.version]))
}

/** Behind which order a list goes on. */
export interface ListPlace {
  readonly atMs: number
  readonly id: string
}

export interface ListFilter {
  readonly customerId?: string | undefined
  readonly trackNumber?: string | undefined
  readonly after?: ListPlace | undefined
  readonly limit: number
}

/** Orders, the newest version first. */
export async function listOrders(database: Queryable, filter: ListFilter): Promise<StoredOrder[]> {
  const values: unknown[] = [filter.limit]
  const where = (condition: (place: string) => string, ...given: readonly unknown[]) => {
    if (given.some((value) => value === undefined)) return []
    const places = given.map((value) => `$${values.push(value)}`)
    return [condition(places.join(', '))]
  }
  const conditions = [
    ...where((place) => `customer_id = ${place}`, filter.customerId),
    ...where((place) => `track_number = ${place}`, filter.trackNumber),
    ...where((place) => `(version_at, order_uid) < (${place})`, filter.after?.atMs, filter.after?.id),
  ]
  const only = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`
  const { rows } = await database.query<OrderRow>({
    // The page is found first, by an index, so that only its orders are put together.
    text: `select ${columns} from ${tables} where o.order_uid in (
             select order_uid from order_lookup.orders ${only} order by version_at desc, order_uid desc limit $1)
           order by o.version_at desc, o.order_uid desc`,
    values,
  })
  return rows.map(toStored)
}

function toStored(row: OrderRow): StoredOrder {
  const [name = '', phone = '', zip = '', city = '', address = '', region = '', email = ''] = row.delivery
  const [transaction = '', request_id = '', currency = '', provider = '', bank = ''] = row.payment_texts
  const [amount = 0, payment_dt = 0, delivery_cost = 0, goods_total = 0, custom_fee = 0] =
    row.payment_counts.map(Number)
  const order: Order = {
    order_uid: row.order_uid,
    track_number: row.track_number,
    entry: row.entry,
    delivery: { name, phone, zip, city, address, region, email },
    payment: {
      transaction,
      request_id,
      currency,
      provider,
      amount,
      payment_dt,
      bank,
      delivery_cost,
      goods_total,
      custom_fee,
    },
    items: row.items.map(toItem),
    locale: row.locale,
    internal_signature: row.internal_signature,
    customer_id: row.customer_id,
    delivery_service: row.delivery_service,
    shardkey: row.shardkey,
    sm_id: row.sm_id,
    date_created: row.date_created,
    oof_shard: row.oof_shard,
  }
  return { order, version: row.version, atMs: row.version_at }
}

function toItem(values: ItemValues): Item {
  const [chrt_id, track_number, price, rid, name, sale, size, total_price, nm_id, brand, status] = values
  return { chrt_id, track_number, price, rid, name, sale, size, total_price, nm_id, brand, status }
}
