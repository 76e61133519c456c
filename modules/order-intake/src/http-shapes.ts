import { Type } from 'typebox'

const tags = ['order-intake']
const user = '6f1f7e2e-0c9b-4a35-9f0e-2b6d3a4c5e6f'

const payload = Type.Record(Type.String(), Type.Unknown())

/** Without an external id, so that they can be tried again. */
export const placeExamples = [
  { user_id: user, payload_json: { items: [{ name: 'tea', price: 4.5, qty: 2 }] } },
  { user_id: user, payload_json: '{"amount":"12.345"}' },
]

const placeBody = Type.Object(
  {
    order_id: Type.Optional(
      Type.String({ description: 'Absent, empty or "0": a new order, whose id the server makes.' }),
    ),
    user_id: Type.Optional(Type.String({ description: 'A UUID; may be left out with a token.' })),
    status: Type.Optional(Type.Literal('deleted', { description: 'Deletes the order; no payload is needed.' })),
    payload_json: Type.Optional(
      Type.Union([Type.String(), payload, Type.Null()], { description: 'An object, or its JSON text.' }),
    ),
    payload: Type.Optional(Type.Union([payload, Type.Null()], { description: 'The same as an object.' })),
    external_id: Type.Optional(
      Type.Union([Type.String(), Type.Number(), Type.Null()], {
        description: '`payload.id` counts before it; unique among a user’s orders that are not deleted.',
      }),
    ),
  },
  { examples: placeExamples },
)

const placed = (...statuses: readonly string[]) =>
  Type.Object({
    order_id: Type.String({ format: 'uuid' }),
    status: Type.Union(statuses.map((status) => Type.Literal(status))),
  })

const orderShape = Type.Object({
  order: Type.Object({
    order_id: Type.String({ format: 'uuid' }),
    user_id: Type.String({ format: 'uuid' }),
    external_id: Type.Optional(Type.String()),
    amount: Type.Number({ description: 'With at most two decimals.' }),
    status: Type.Union([Type.Literal('new'), Type.Literal('done'), Type.Literal('deleted')], {
      description: '`new` until the worker has acknowledged what was sent last.',
    }),
    payload_json: payload,
    created_at: Type.String({ format: 'date-time' }),
    updated_at: Type.String({ format: 'date-time' }),
    bucket: Type.Integer({ minimum: 0, maximum: 3 }),
  }),
})

/** `POST /orders` */
export const placeSchema = {
  tags,
  summary: 'Creates, updates or deletes an order',
  description:
    'Answers after the worker has acknowledged it; with `?wait=false` or `Prefer: respond-async` at once (202). Accepted is a promise: a 202 is processed later.',
  querystring: Type.Object({ wait: Type.Optional(Type.Boolean({ description: 'Default true.' })) }),
  body: placeBody,
  response: { 200: placed('updated', 'deleted'), 201: placed('created'), 202: placed('accepted') },
}

/** `GET /orders/{order_id}` */
export const getSchema = {
  tags,
  summary: 'An order by its id',
  params: Type.Object({
    order_id: Type.String({ description: 'As `POST /orders` has answered it.', documented: { format: 'uuid' } }),
  }),
  response: { 200: orderShape },
}

/** `GET /orders/by-external/{external_id}` */
export const byExternalSchema = {
  tags,
  summary: 'An order by its external id',
  params: Type.Object({
    external_id: Type.String({ description: 'The `payload.id` or `external_id` that `POST /orders` was given.' }),
  }),
  querystring: Type.Object({
    user_id: Type.Optional(Type.String({ description: 'A UUID; may be left out with a token.', examples: [user] })),
  }),
  response: { 200: orderShape },
}
