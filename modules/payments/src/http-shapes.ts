import { Type } from 'typebox'
import { amountLimits } from './domain/amounts.ts'

const uuid = Type.String({ format: 'uuid' })
const time = Type.String({ format: 'date-time' })
const money = Type.Number({ description: 'In USD, with at most two decimals.' })
const exampleUser = '0190a000-0000-7000-8000-000000000001'

/** Where a user is named in the path. */
export const userPath = Type.Object({ user_id: Type.String({ examples: [exampleUser] }) })

/** `POST` of an account. */
export const accountSchema = {
  tags: ['payments'],
  summary: 'Opens an account for a user',
  description: 'The user is made here when none is named.',
  'x-optional-body': true,
  body: {
    content: {
      'application/json': {
        schema: Type.Object({
          user_id: Type.Optional(Type.String({ examples: [exampleUser], documented: { format: 'uuid' } })),
        }),
      },
    },
  },
  response: {
    201: Type.Object({ id: uuid, user_id: uuid, balance: money, created_at: time }),
  },
}

/** `GET` of an account. */
export const accountViewSchema = {
  tags: ['payments'],
  summary: 'A user’s account',
  params: userPath,
  response: {
    200: Type.Object({ id: uuid, user_id: uuid, balance: money, created_at: time, updated_at: time }),
  },
}

/** `POST` of a top-up. */
export const topUpSchema = {
  tags: ['payments'],
  summary: 'Puts money on an account',
  description: 'Payments that wait for it are paid at once, oldest first; the balance is what is left then.',
  params: userPath,
  body: Type.Object({
    amount: Type.Number({
      description: 'In USD, with at most two decimals.',
      examples: [500],
      documented: amountLimits,
    }),
  }),
  response: { 200: Type.Object({ id: uuid, user_id: uuid, balance: money, updated_at: time }) },
}

const entry = Type.Object({
  id: uuid,
  kind: Type.Union([Type.Literal('topup'), Type.Literal('payment'), Type.Literal('refund')]),
  amount: Type.Number({ description: 'Signed, in USD.' }),
  balance_after: money,
  order_id: Type.Optional(uuid),
  payment_id: Type.Optional(uuid),
  created_at: time,
})

/** `GET` of an account’s entries. */
export const entriesSchema = {
  tags: ['payments'],
  summary: 'Every movement of money of a user’s account, newest first',
  params: userPath,
  querystring: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: '50 unless given.' })),
    cursor: Type.Optional(Type.String()),
  }),
  response: { 200: Type.Object({ entries: Type.Array(entry), next_cursor: Type.Optional(Type.String()) }) },
}

/** `GET` of the payment of an order. */
export const paymentSchema = {
  tags: ['payments'],
  summary: 'The payment of an order',
  params: Type.Object({ order_id: Type.String({ examples: ['0190a000-0000-7000-8000-000000000002'] }) }),
  response: {
    200: Type.Object({
      id: uuid,
      order_id: uuid,
      user_id: uuid,
      amount: money,
      currency: Type.String(),
      status: Type.Union(
        [Type.Literal('pending'), Type.Literal('completed'), Type.Literal('failed'), Type.Literal('refunded')],
        { description: '`pending` waits for money.' },
      ),
      transaction_id: Type.Optional(uuid),
      error_message: Type.Optional(Type.String()),
      created_at: time,
      updated_at: time,
    }),
  },
}
