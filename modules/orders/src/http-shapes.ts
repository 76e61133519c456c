import { lastEventIdQuery } from '@headrace/live'
import { amountLimits } from '@headrace/payments/contract'
import { Type } from 'typebox'

const uuid = Type.String({ format: 'uuid' })
const time = Type.String({ format: 'date-time' })
const exampleUser = '0190a000-0000-7000-8000-000000000001'
const status = Type.Union([
  Type.Literal('created'),
  Type.Literal('payment_pending'),
  Type.Literal('paid'),
  Type.Literal('payment_failed'),
  Type.Literal('cancelled'),
  Type.Literal('completed'),
])

/** An order as it is answered. */
export const orderShape = Type.Object({
  id: uuid,
  userID: uuid,
  amount: Type.Number({ description: 'At most two decimals.' }),
  currency: Type.String(),
  status,
  paymentID: Type.String({ description: 'Empty until a payment is known.' }),
  errorReason: Type.String({ description: 'Why the payment failed; else empty.' }),
  createdAt: time,
  updatedAt: time,
})

/** `POST` of an order. */
export const placeSchema = {
  tags: ['orders'],
  summary: 'Places an order; it is paid from the user’s account',
  body: Type.Object({
    user_id: Type.Optional(
      Type.String({ description: 'Not needed with a token.', examples: [exampleUser], documented: { format: 'uuid' } }),
    ),
    amount: Type.Optional(
      Type.Number({
        description: 'In USD, with at most two decimals; drawn unless given.',
        examples: [150.5],
        documented: amountLimits,
      }),
    ),
  }),
  response: { 201: orderShape },
}

/** Where an order is named in the path. */
export const orderPath = Type.Object({ id: Type.String({ examples: ['0190a000-0000-7000-8000-000000000002'] }) })

/** `GET` of an order. */
export const orderSchema = { tags: ['orders'], summary: 'An order', params: orderPath, response: { 200: orderShape } }

/** `POST` of a cancellation. */
export const cancelSchema = {
  tags: ['orders'],
  summary: 'Cancels an order, until it is paid',
  description: 'What was paid and not yet known here goes back to the account, once.',
  params: orderPath,
  response: { 200: orderShape },
}

/** `GET` of a user’s orders. */
export const listSchema = {
  tags: ['orders'],
  summary: 'A user’s orders, newest first; the next page is linked in `Link`',
  params: Type.Object({ user_id: Type.String({ examples: [exampleUser] }) }),
  querystring: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: '50 unless given.' })),
    cursor: Type.Optional(Type.String()),
  }),
  response: { 200: Type.Array(orderShape) },
}

/** `GET` of a user’s stream. */
export const streamSchema = {
  tags: ['orders'],
  summary: 'Every change of a user’s orders, as server-sent events',
  description: '`connected` once, then `order-update` with the whole order as data.',
  querystring: Type.Object({
    user_id: Type.Optional(Type.String({ description: 'Not needed with a token.', examples: [exampleUser] })),
    ...lastEventIdQuery,
  }),
}
