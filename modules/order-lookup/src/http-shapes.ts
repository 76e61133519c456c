import { type Static, Type } from 'typebox'

const example = {
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
  items: [
    {
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
    },
  ],
  locale: 'en',
  internal_signature: '',
  customer_id: 'test',
  delivery_service: 'meest',
  shardkey: '9',
  sm_id: 99,
  date_created: '2021-11-26T06:22:19Z',
  oof_shard: '1',
}

const delivery = Type.Object({
  name: Type.String(),
  phone: Type.String(),
  zip: Type.String(),
  city: Type.String(),
  address: Type.String(),
  region: Type.String(),
  email: Type.String(),
})

const payment = Type.Object({
  transaction: Type.String(),
  request_id: Type.String(),
  currency: Type.String(),
  provider: Type.String(),
  amount: Type.Integer({ description: 'goods_total + delivery_cost + custom_fee' }),
  payment_dt: Type.Integer({ description: 'In seconds since the epoch.' }),
  bank: Type.String(),
  delivery_cost: Type.Integer(),
  goods_total: Type.Integer(),
  custom_fee: Type.Integer(),
})

const item = Type.Object({
  chrt_id: Type.Integer(),
  track_number: Type.String(),
  price: Type.Integer(),
  rid: Type.String(),
  name: Type.String(),
  sale: Type.Integer({ description: 'Per cent off the price.' }),
  size: Type.String(),
  total_price: Type.Integer(),
  nm_id: Type.Integer(),
  brand: Type.String(),
  status: Type.Integer(),
})

/** An order as it is answered. */
export const orderShape = Type.Object(
  {
    order_uid: Type.String(),
    track_number: Type.String(),
    entry: Type.String(),
    delivery,
    payment,
    items: Type.Array(item),
    locale: Type.String(),
    internal_signature: Type.String(),
    customer_id: Type.String(),
    delivery_service: Type.String(),
    shardkey: Type.String(),
    sm_id: Type.Integer(),
    date_created: Type.String(),
    oof_shard: Type.String(),
  },
  { examples: [example] },
)

const tags = ['order-lookup']

/** `GET /order/{order_uid}`; no shape of the answer is compiled, because it is sent as the bytes that it is kept as. */
export const orderSchema = {
  tags,
  summary: 'An order by its id',
  description: 'From memory where it is there (`X-Cache: hit`). `If-None-Match` with the `ETag` is answered 304.',
  // No example: which orders there are depends on what was written to the topic.
  params: Type.Object({
    order_uid: Type.String({
      description: 'One that `GET /api/v1/orders` lists, or `make produce-orders` has printed.',
    }),
  }),
}

const listQuery = Type.Object({
  customer_id: Type.Optional(Type.String()),
  track_number: Type.Optional(Type.String()),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: 'Default 50.' })),
  cursor: Type.Optional(Type.String({ description: '`next_cursor` of the page before.' })),
})

export type ListQuery = Static<typeof listQuery>

/** `GET /api/v1/orders` */
export const listSchema = {
  tags,
  summary: 'Orders, the newest first',
  querystring: listQuery,
  response: {
    200: Type.Object({ orders: Type.Array(orderShape), next_cursor: Type.Optional(Type.String()) }),
  },
}

/** `GET /api/v1/order-lookup/stats` */
export const statsSchema = {
  tags,
  summary: 'Counts since the process started',
  response: {
    200: Type.Object({
      cache: Type.Object({
        size: Type.Integer(),
        capacity: Type.Integer(),
        bytes: Type.Integer(),
        hits: Type.Integer(),
        misses: Type.Integer(),
        evictions: Type.Integer(),
      }),
      consumer: Type.Object({ consumed: Type.Integer(), stored: Type.Integer(), rejected: Type.Integer() }),
    }),
  },
}
