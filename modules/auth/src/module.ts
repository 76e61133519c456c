import type { Module, Running } from '@headrace/runtime'
import { passwordHasher } from '@headrace/tokens'
import { v7 } from 'uuid'
import { accounts } from './accounts.ts'
import type { AuthContext } from './context.ts'
import { authEvents, errors } from './contract.ts'
import { addAccountRoutes } from './routes/accounts.ts'
import { addIntrospection } from './routes/introspection.ts'
import { sessions } from './sessions.ts'
import { throttle } from './throttle.ts'

export type { AuthContext } from './context.ts'
export { authMigrations } from './store/accounts.ts'

/** Accounts, sessions and tokens. */
export function authModule(): Module<AuthContext> {
  return { name: 'auth', roles: [{ name: 'auth', start: startAuth }], errors }
}

async function startAuth(context: AuthContext): Promise<Running> {
  const { stations, surfaces, settings, logger, accessTokens } = context
  const { log, keyvalue, database } = stations.auth
  await stations.auth.produces(authEvents)
  const hasher = passwordHasher()
  // What a password is checked against for an unknown e-mail is made now, so that the first one takes no longer.
  await hasher.verify(undefined, '')
  const failures = throttle({
    keyvalue,
    limits: { account: settings.LOGIN_MAX_FAILURES, address: settings.LOGIN_MAX_FAILURES_PER_ADDRESS },
    windowMs: settings.LOGIN_FAILURE_WINDOW_MS,
  })
  const open = sessions({
    keyvalue,
    refreshTtlS: settings.REFRESH_TTL,
    sessionTtlS: settings.SESSION_TTL,
    now: Date.now,
    onReuse: ({ id }) => logger.warn('a spent refresh token came again: its session was ended', { userId: id }),
  })
  const people = accounts({ database, log, hasher, throttle: failures, newId: v7, now: Date.now })
  const needs = { ...context, database, accounts: people, sessions: open }
  for (const app of [surfaces.public, surfaces.calculator]) if (app !== undefined) addAccountRoutes(app, needs)
  addIntrospection(surfaces.internal, accessTokens)
  return nothingToStop
}

const nothingToStop: Running = { async stop() {}, async [Symbol.asyncDispose]() {} }
