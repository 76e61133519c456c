import type { Database } from '@headrace/database'
import { type App, type Request, withOptionalBody } from '@headrace/http-kit'
import { type Live, lastEventIdQuery, thatFitOneEvent } from '@headrace/live'
import { PlatformError } from '@headrace/runtime'
import { Type } from 'typebox'
import { publishChanges, subjectOf } from '../events.ts'
import { cancelExpression, type ExpressionRow, findExpression, listExpressions } from '../store/expressions.ts'
import { tasksOf } from '../store/tasks.ts'
import { expressionView, taskView } from '../views.ts'
import { cursorAfter, cursorId } from './cursor.ts'
import { cancelSchema, findSchema, listSchema, tasksSchema } from './http-shapes.ts'
import { userOf } from './owner.ts'

export interface ExpressionsNeeds {
  readonly database: Database
  readonly live: Live
}

const access = 'token'

/** Adds what a user sees of their expressions. */
export function addExpressionRoutes(app: App, needs: ExpressionsNeeds): void {
  addList(app, needs)
  addStream(app, needs)
  addOne(app, needs)
  withOptionalBody(app, (scope) => addCancel(scope, needs))
}

function addList(app: App, { database }: ExpressionsNeeds): void {
  app.get('/api/v1/expressions', { config: { access }, schema: listSchema }, async (request) => {
    const { limit = 50, cursor, status } = request.query
    const rows = await listExpressions(database, {
      userId: userOf(request),
      // One more, to know whether there is a next page.
      limit: limit + 1,
      ...(cursor !== undefined && { before: cursorId(cursor) }),
      ...(status !== undefined && { status }),
    })
    const expressions = rows.slice(0, limit).map(expressionView)
    const last = expressions.at(-1)
    return { expressions, ...(rows.length > limit && last !== undefined && { next_cursor: cursorAfter(last.id) }) }
  })
}

function addStream(app: App, { database, live }: ExpressionsNeeds): void {
  app.get(
    '/api/v1/expressions/stream',
    {
      config: { access, stream: true },
      schema: {
        tags: ['calculator'],
        summary: 'Server-sent events: expression-update with the expression, task-update with the tasks that changed',
        querystring: Type.Object({ ...lastEventIdQuery }),
      },
    },
    async (request, reply) => {
      const userId = userOf(request)
      const snapshot = async () => {
        const newest = await listExpressions(database, { userId, limit: 200 })
        return { expressions: thatFitOneEvent(newest.map(expressionView)) }
      }
      await live.stream(request, reply, { subject: subjectOf(userId), snapshot })
    },
  )
}

function addOne(app: App, { database }: ExpressionsNeeds): void {
  const path = '/api/v1/expressions/:id'
  app.get(path, { config: { access }, schema: findSchema }, async (request) => {
    return { expression: expressionView(await found(database, request)) }
  })
  app.get(`${path}/tasks`, { config: { access }, schema: tasksSchema }, async (request) => {
    const { id, status } = await found(database, request)
    const isEnded = status === 'done' || status === 'failed'
    return { tasks: (await tasksOf(database, id)).map((row) => taskView(row, isEnded)) }
  })
}

function addCancel(app: App, { database, live }: ExpressionsNeeds): void {
  app.delete('/api/v1/expressions/:id', { config: { access }, schema: cancelSchema }, async (request, reply) => {
    const id = idOf(request)
    const wasFound = await database.inTransaction(
      async (tx) => {
        const owned = await cancelExpression(tx, id, userOf(request))
        await publishChanges(tx, live)
        return owned
      },
      { settle: true },
    )
    if (!wasFound) throw notFound()
    return reply.code(204).send(null)
  })
}

type IdRequest = Request & { readonly params: { readonly id: string } }

/** The user's own expression that the path names. */
async function found(database: Database, request: IdRequest): Promise<ExpressionRow> {
  const row = await findExpression(database, idOf(request), userOf(request))
  if (row === undefined) throw notFound()
  return row
}

function idOf({ params: { id } }: IdRequest): number {
  if (/^[1-9]\d{0,14}$/.test(id)) return Number(id)
  throw notFound()
}

function notFound(): PlatformError {
  return new PlatformError('NOT_FOUND', 'expression not found')
}
