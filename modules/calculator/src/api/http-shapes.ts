import { Type } from 'typebox'

const tags = ['calculator']

const expression = Type.Object({
  id: Type.Integer(),
  user_id: Type.Integer(),
  raw: Type.String(),
  status: Type.Union([
    Type.Literal('pending'),
    Type.Literal('computing'),
    Type.Literal('done'),
    Type.Literal('failed'),
  ]),
  result: Type.Optional(Type.Number()),
  error: Type.Optional(Type.String()),
  created_at: Type.String({ format: 'date-time' }),
  updated_at: Type.String({ format: 'date-time' }),
})

const task = Type.Object({
  id: Type.String({ format: 'uuid' }),
  operation: Type.String({ enum: ['+', '-', '*', '/'] }),
  args: Type.Array(Type.Union([Type.Number(), Type.Null()])),
  depends_on: Type.Array(Type.String()),
  status: Type.String({ enum: ['waiting', 'ready', 'running', 'done', 'failed', 'cancelled'] }),
  result: Type.Optional(Type.Number()),
  worker: Type.Optional(Type.String()),
  started_at: Type.Optional(Type.String({ format: 'date-time' })),
  finished_at: Type.Optional(Type.String({ format: 'date-time' })),
})

const params = Type.Object({ id: Type.String() })

export const calculateSchema = {
  tags,
  summary: 'Submits an expression',
  body: Type.Object({ expression: Type.String({ minLength: 1, examples: ['2+2*2'] }) }),
  response: { 200: Type.Object({ id: Type.Integer() }) },
}

export const listSchema = {
  tags,
  summary: 'Expressions of this user, newest first',
  querystring: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: '50 unless given.' })),
    cursor: Type.Optional(Type.String({ description: 'From `next_cursor`.' })),
    status: Type.Optional(expression.properties.status),
  }),
  response: {
    200: Type.Object({ expressions: Type.Array(expression), next_cursor: Type.Optional(Type.String()) }),
  },
}

export const findSchema = {
  tags,
  summary: 'One expression',
  params,
  response: { 200: Type.Object({ expression }) },
}

export const tasksSchema = {
  tags,
  summary: 'The operations of an expression and what they wait for',
  params,
  response: { 200: Type.Object({ tasks: Type.Array(task) }) },
}

export const cancelSchema = {
  tags,
  summary: 'Cancels what is unfinished; a finished expression stays as it is',
  params,
  response: { 204: Type.Null() },
}
