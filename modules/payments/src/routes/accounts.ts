import { actingUser, invalidRequest, withOptionalBody } from '@headrace/http-kit'
import { moduleError, PlatformError } from '@headrace/runtime'
import { errors } from '../contract.ts'
import { readUuid } from '../domain/ids.ts'
import { accountSchema, accountViewSchema, entriesSchema } from '../http-shapes.ts'
import { findAccount, insertAccount } from '../store/accounts.ts'
import { listEntries } from '../store/entries.ts'
import { accountView, entryView, newAccountView } from '../views.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { type GuardedRequest, noAccount, pathOf, type RouteNeeds, userOfPath } from './needs.ts'

const path = '/payments-api/accounts'

/** Adds `POST` of an account. */
export function addAccountRoute({ app, keyed, newId }: RouteNeeds): void {
  withOptionalBody(app, (scope) => {
    scope.post(path, { config: { access: 'person' }, schema: accountSchema }, async (request, reply) => {
      const userId = namedUser(request)
      const key = { header: request.headers['idempotency-key'], caller: userId, method: 'POST', route: pathOf(request) }
      const { status, body } = await keyed.answer({ ...key, body: request.body ?? {} }, async (tx, id) => {
        const account = await insertAccount(tx, { id, userId: userId ?? newId() })
        if (account === undefined) throw accountExists(userId)
        return { status: 201, body: newAccountView(account) }
      })
      reply.code(status as 201)
      // Stored by ourselves, so it has the shape of an answer.
      return body as ReturnType<typeof newAccountView>
    })
  })
}

/** The user whom an account is opened for; undefined where one is to be made. */
function namedUser(request: GuardedRequest): string | undefined {
  // The schema has checked it where there is one.
  const { user_id: named } = (request.body ?? {}) as { readonly user_id?: string }
  const acting = actingUser(request, named)
  const userId = readUuid(acting)
  if (acting !== undefined && userId === undefined) throw invalidRequest('user_id must be a UUID')
  return userId
}

function accountExists(userId: string | undefined): PlatformError {
  return new PlatformError(moduleError(errors, 'ACCOUNT_EXISTS'), `user '${userId}' has an account already`)
}

/** Adds `GET` of an account. */
export function addAccountViewRoute({ app, station }: RouteNeeds): void {
  app.get(`${path}/:user_id`, { config: { access: 'person' }, schema: accountViewSchema }, async (request) => {
    const userId = userOfPath(request, request.params.user_id)
    const account = await findAccount(station.database, userId)
    if (account === undefined) throw noAccount(userId)
    return accountView(account)
  })
}

/** Lines of a list unless the request says how many. */
const defaultLimit = 50

/** Adds `GET` of an account's entries. */
export function addEntriesRoute({ app, station }: RouteNeeds): void {
  app.get(`${path}/:user_id/entries`, { config: { access: 'person' }, schema: entriesSchema }, async (request) => {
    const { limit = defaultLimit, cursor } = request.query
    const userId = userOfPath(request, request.params.user_id)
    const before = decodeCursor(cursor)
    const [account, found] = await Promise.all([
      findAccount(station.database, userId),
      listEntries(station.database, { userId, before, limit: limit + 1 }),
    ])
    if (account === undefined) throw noAccount(userId)
    const entries = found.slice(0, limit)
    const last = entries.at(-1)
    const next = found.length > limit && last !== undefined ? { next_cursor: encodeCursor(last.seq) } : {}
    return { entries: entries.map(entryView), ...next }
  })
}
