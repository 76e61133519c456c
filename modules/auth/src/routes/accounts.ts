import type { Queryable } from '@headrace/database'
import { type App, invalidRequest, type Person, personOf } from '@headrace/http-kit'
import { moduleError, PlatformError } from '@headrace/runtime'
import type { AccessTokens, StreamTickets, TokenSubject } from '@headrace/tokens'
import type { Accounts, Attempt } from '../accounts.ts'
import { errors } from '../contract.ts'
import { networkOf } from '../domain/network.ts'
import {
  keySetSchema,
  loginSchema,
  logoutSchema,
  meSchema,
  refreshSchema,
  registerSchema,
  ticketSchema,
} from '../http-shapes.ts'
import type { RefreshToken, Sessions } from '../sessions.ts'
import { findAccount } from '../store/accounts.ts'

export interface AccountRoutesNeeds {
  readonly database: Queryable
  readonly accounts: Accounts
  readonly sessions: Sessions
  readonly accessTokens: AccessTokens
  readonly streamTickets: StreamTickets
  readonly streamRoutes: readonly string[]
}

/** Adds the routes of accounts, under all their names. Their answers are secrets: nobody may keep them. */
export function addAccountRoutes(app: App, needs: AccountRoutesNeeds): void {
  void app.register((scope, _options, done) => {
    scope.addHook('onRequest', (_request, reply, next) => {
      reply.header('cache-control', 'no-store')
      next()
    })
    addRegister(scope, needs)
    addLogin(scope, needs)
    addRefresh(scope, needs)
    addLogout(scope, needs)
    addMe(scope, needs)
    addTicket(scope, needs)
    done()
  })
  const { keySet } = needs.accessTokens
  if (keySet === undefined) return
  const published = { keys: [...keySet.keys] }
  app.get('/.well-known/jwks.json', { config: { access: 'public' }, schema: keySetSchema }, async () => published)
}

function addRegister(app: App, { accounts, ...needs }: AccountRoutesNeeds): void {
  for (const path of ['/api/v1/register', '/api/v1/registration', '/register']) {
    app.post(path, { config: { access: 'public' }, schema: registerSchema }, async (request, reply) => {
      const { id, uid, email, created_at } = await accounts.register(attempt(request))
      const pair = tokenPair(needs, { id, uid }, await needs.sessions.open({ id, uid }))
      reply.code(201)
      return { id, email, created_at: created_at.toISOString(), ...pair }
    })
  }
}

function addLogin(app: App, { accounts, ...needs }: AccountRoutesNeeds): void {
  for (const path of ['/api/v1/login', '/login']) {
    app.post(path, { config: { access: 'public' }, schema: loginSchema }, async (request) => {
      const subject = await accounts.logIn(attempt(request))
      return tokenPair(needs, subject, await needs.sessions.open(subject))
    })
  }
}

function addRefresh(app: App, { sessions, ...needs }: AccountRoutesNeeds): void {
  for (const path of ['/api/v1/refresh', '/api/v1/token/refresh', '/refresh']) {
    app.post(path, { config: { access: 'public' }, schema: refreshSchema }, async (request) => {
      const refreshed = await sessions.refresh(request.body.refresh_token)
      if (refreshed !== undefined) return tokenPair(needs, refreshed.subject, refreshed)
      const text = 'the refresh token is not valid, or no longer'
      throw new PlatformError(moduleError(errors, 'INVALID_REFRESH'), text)
    })
  }
}

function addLogout(app: App, { sessions }: AccountRoutesNeeds): void {
  app.post('/api/v1/logout', { config: { access: 'public' }, schema: logoutSchema }, async (request, reply) => {
    await sessions.close(request.body.refresh_token)
    return reply.code(204).send(null)
  })
}

function addMe(app: App, { database }: AccountRoutesNeeds): void {
  app.get('/api/v1/me', { config: { access: 'token' }, schema: meSchema }, async (request) => {
    const account = await findAccount(database, requiredPerson(personOf(request)).id)
    // A token of another database, signed with the same secret.
    if (account === undefined) throw new PlatformError('UNAUTHORIZED', 'there is no such account')
    const { id, uid, email, created_at } = account
    return { id, uid, email, created_at: created_at.toISOString() }
  })
}

function addTicket(app: App, { streamTickets, streamRoutes }: AccountRoutesNeeds): void {
  const schema = ticketSchema(streamRoutes)
  app.post('/api/v1/stream-ticket', { config: { access: 'token' }, schema }, async (request, reply) => {
    const { route } = request.body
    if (!streamRoutes.includes(route)) throw invalidRequest(`route is no stream: expected ${streamRoutes.join(', ')}`)
    const ticket = await streamTickets.issue(requiredPerson(personOf(request)), route)
    reply.code(201)
    return { ticket, expires_in: streamTickets.firstUseS }
  })
}

interface CredentialsRequest {
  readonly body: { readonly email: string; readonly password: string }
  readonly ip: string
  readonly headers: Readonly<Record<string, unknown>>
}

function attempt({ body: { email, password }, ip, headers }: CredentialsRequest): Attempt {
  return { email, password, network: networkOf(ip), trace: headers['traceparent'] }
}

function tokenPair(
  { accessTokens }: Pick<AccountRoutesNeeds, 'accessTokens'>,
  subject: TokenSubject,
  refresh: RefreshToken,
) {
  return {
    access_token: accessTokens.issue(subject),
    expires_in: accessTokens.ttlS,
    refresh_token: refresh.token,
    refresh_expires_in: refresh.expiresInS,
    token_type: 'bearer' as const,
  }
}

/** The guard of a `token` route lets nobody in without one. */
function requiredPerson(person: Person | undefined): Person {
  if (person === undefined) throw new TypeError('the route has no guard')
  return person
}
