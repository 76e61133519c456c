import { count, listOf, NotTheModel, name, object, text, textOrEmpty, time } from './fields.ts'
import type { Delivery, Item, Order, Payment } from './order.ts'

/** What a message turned out to be. */
export type Reading =
  | { readonly kind: 'order'; readonly order: Order }
  /** `reason` names the field and its value. */
  | { readonly kind: 'rubbish'; readonly reason: string }

const delivery = object<Delivery>({
  name: text,
  phone: text,
  zip: text,
  city: text,
  address: text,
  region: text,
  email: text,
})

const payment = object<Payment>({
  transaction: text,
  request_id: textOrEmpty,
  currency: text,
  provider: text,
  amount: count,
  payment_dt: count,
  bank: text,
  delivery_cost: count,
  goods_total: count,
  custom_fee: count,
})

const item = object<Item>({
  chrt_id: count,
  track_number: text,
  price: count,
  rid: text,
  name: text,
  sale: count,
  size: text,
  total_price: count,
  nm_id: count,
  brand: text,
  status: count,
})

const order = object<Order>({
  order_uid: name,
  track_number: name,
  entry: text,
  delivery,
  payment,
  items: listOf(item),
  locale: text,
  internal_signature: textOrEmpty,
  customer_id: name,
  delivery_service: text,
  shardkey: text,
  sm_id: count,
  date_created: time,
  oof_shard: text,
})

/** Reads an order from the bytes of a message. Whatever they are, it answers. */
export function readOrder(body: Uint8Array): Reading {
  try {
    const read = order(parse(body), '')
    requireRules(read)
    return { kind: 'order', order: read }
  } catch (error) {
    if (error instanceof NotTheModel) return { kind: 'rubbish', reason: error.message }
    throw error
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(body))
  } catch (error) {
    // A text nested too deeply is a RangeError; all of them are the message's fault.
    throw new NotTheModel(`the body is not JSON: ${error instanceof Error ? error.message.slice(0, 160) : ''}`)
  }
}

/** What must hold between fields. */
function requireRules({ payment: paid, items }: Order): void {
  const { amount, goods_total, delivery_cost, custom_fee } = paid
  const sum = goods_total + delivery_cost + custom_fee
  if (amount !== sum) throw new NotTheModel(`payment.amount is ${amount}, not goods + delivery + fee = ${sum}`)
  items.forEach(({ sale }, index) => {
    if (sale > 100) throw new NotTheModel(`items[${index}].sale is ${sale}, more than 100 per cent`)
  })
}
