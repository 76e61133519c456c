import type { Order } from '../../src/contract.ts'

/** The order of the contract, with changes. */
export function exampleOrder(changes: Partial<Order> = {}): Order {
  return {
    order_uid: 'b563feb7b2b84b6test',
    track_number: 'WBILMTESTTRACK',
    entry: 'WBIL',
    delivery: {
      name: 'Test Testov',
      phone: '+9720000000',
      zip: '2639809',
      city: 'Kiryat Mozkin',
      address: 'Ploshad Mira 15',
      region: 'Kraiot',
      email: 'test@gmail.com',
    },
    payment: {
      transaction: 'b563feb7b2b84b6test',
      request_id: '',
      currency: 'USD',
      provider: 'wbpay',
      amount: 1817,
      payment_dt: 1637907727,
      bank: 'alpha',
      delivery_cost: 1500,
      goods_total: 317,
      custom_fee: 0,
    },
    items: [exampleItem()],
    locale: 'en',
    internal_signature: '',
    customer_id: 'test',
    delivery_service: 'meest',
    shardkey: '9',
    sm_id: 99,
    date_created: '2021-11-26T06:22:19Z',
    oof_shard: '1',
    ...changes,
  }
}

/** The item of the contract's order, with changes. */
export function exampleItem(changes: Partial<Order['items'][number]> = {}): Order['items'][number] {
  return {
    chrt_id: 9934930,
    track_number: 'WBILMTESTTRACK',
    price: 453,
    rid: 'ab4219087a764ae0btest',
    name: 'Mascaras',
    sale: 30,
    size: '0',
    total_price: 317,
    nm_id: 2389212,
    brand: 'Vivienne Sabo',
    status: 202,
    ...changes,
  }
}

/** The n-th of many different orders, with one to five items. */
export function orderNumber(n: number, changes: Partial<Order> = {}): Order {
  const items = Array.from({ length: (n % 5) + 1 }, (_, index) =>
    exampleItem({ chrt_id: n * 10 + index, rid: `r${n}` }),
  )
  return exampleOrder({ order_uid: `order-${n}`, customer_id: `c${n % 7}`, sm_id: n, items, ...changes })
}

/** A message to append that holds this. */
export function ordersMessage(order: Order, message: { id?: string; key?: string; body?: Uint8Array | string } = {}) {
  const { id = order.order_uid, key = order.order_uid, body = JSON.stringify(order) } = message
  return { topic: 'orders', id, key, type: 'order', headers: {}, body: Buffer.from(body) }
}

/** Bodies that are no order, each with a part of the reason that is recorded. */
export function rubbish(): readonly (readonly [body: string | Uint8Array, reason: RegExp])[] {
  const changed = (change: (order: Record<string, unknown> & Order) => void) => {
    const order = structuredClone(exampleOrder()) as Record<string, unknown> & Order
    change(order)
    return JSON.stringify(order)
  }
  const set = (path: string, value: unknown) =>
    changed((order) => {
      const names = path.split('.')
      const last = names.pop() ?? ''
      const inner = names.reduce<object>((at, name) => Reflect.get(at, name) as object, order)
      if (value === undefined) Reflect.deleteProperty(inner, last)
      else Reflect.set(inner, last, value)
    })
  return [
    ['', /not JSON/],
    ['{', /not JSON/],
    [Uint8Array.of(0xff, 0xfe, 0x00), /not JSON/],
    ['['.repeat(100_000), /not JSON/],
    ['null', /the order is null/],
    ['42', /the order is 42/],
    ['[]', /the order is a list/],
    ['"order"', /the order is "order"/],
    ['{}', /order_uid is missing/],
    [set('order_uid', ''), /order_uid is empty/],
    [set('order_uid', 7), /order_uid is 7, not a text/],
    [set('order_uid', 'x'.repeat(257)), /order_uid has 257 characters/],
    [set('order_uid', 'a\u0000b'), /order_uid holds a NUL/],
    [set('track_number', '\ud800'), /track_number holds a lone surrogate/],
    [set('delivery', null), /delivery is null/],
    [set('delivery.email', undefined), /delivery\.email is missing/],
    [set('delivery.name', {}), /delivery\.name is an object/],
    [set('payment', []), /payment is a list/],
    [set('payment.amount', 1818), /payment\.amount is 1818, not goods \+ delivery \+ fee = 1817/],
    [set('payment.amount', '1817'), /payment\.amount is "1817", not a whole number/],
    [set('payment.amount', 1817.5), /payment\.amount is 1817\.5/],
    [set('payment.goods_total', 2 ** 53), /payment\.goods_total is 9007199254740992/],
    [set('payment.custom_fee', -1), /payment\.custom_fee is negative: -1/],
    [set('items', []), /items is empty/],
    [set('items', {}), /items is an object/],
    [set('items.0', null), /items\[0\] is null/],
    [set('items.0.price', -453), /items\[0\]\.price is negative/],
    [set('items.0.sale', 101), /items\[0\]\.sale is 101/],
    [set('date_created', 'yesterday'), /date_created is "yesterday"/],
    [set('date_created', '2021-02-30T06:22:19Z'), /date_created/],
    [set('sm_id', null), /sm_id is null/],
    ['{"__proto__":{"order_uid":"x"}}', /order_uid is missing/],
  ]
}
