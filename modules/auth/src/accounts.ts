import { invalidRequest } from '@headrace/http-kit'
import type { Log } from '@headrace/log'
import { moduleError, PlatformError } from '@headrace/runtime'
import type { PasswordHasher, TokenSubject } from '@headrace/tokens'
import { errors } from './contract.ts'
import { emailKey, isEmail, isPassword, passwordLength } from './domain/credentials.ts'
import { eventMessage } from './events.ts'
import { type Account, findSecret, insertAccount } from './store/accounts.ts'
import type { Throttle } from './throttle.ts'

export interface AccountsNeeds {
  readonly database: Parameters<typeof findSecret>[0]
  readonly log: Log
  readonly hasher: PasswordHasher
  readonly throttle: Throttle
  /** Makes UUIDs of version 7. */
  readonly newId: () => string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** What somebody sent to register or log in. */
export interface Attempt {
  readonly email: string
  readonly password: string
  /** The network that it came from. */
  readonly network: string
  /** The `traceparent` header. */
  readonly trace: unknown
}

export interface Accounts {
  /** Makes an account. Throws `INVALID_REQUEST`, `EMAIL_TAKEN`, `TOO_MANY_REQUESTS`. */
  register(attempt: Attempt): Promise<Account>
  /** Tells who has this e-mail and password. Throws `INVALID_CREDENTIALS`, `TOO_MANY_REQUESTS`. */
  logIn(attempt: Attempt): Promise<TokenSubject>
}

/** Accounts in the database, their events in its log. */
export function accounts(needs: AccountsNeeds): Accounts {
  const { database, log, hasher, throttle, newId, now } = needs

  async function taken(address: { readonly kind: 'address'; readonly name: string }): Promise<never> {
    // Whoever tries out which e-mails are taken is slowed down like whoever tries out passwords.
    await throttle.failed(address)
    throw new PlatformError(moduleError(errors, 'EMAIL_TAKEN'), 'this e-mail is taken')
  }

  return {
    async register({ email, password, network, trace }) {
      requireCredentials(email, password)
      const address = { kind: 'address', name: network } as const
      await throttle.admit(address)
      const key = emailKey(email)
      // Saves the work of hashing; whether it is taken is decided by the insert.
      if ((await findSecret(database, key)) !== undefined) return taken(address)
      const passwordHash = await hasher.hash(password)
      const account = await log.inTransaction(
        async (tx) => {
          const made = await insertAccount(tx, { uid: newId(), email, emailKey: key, passwordHash })
          if (made === undefined) return undefined
          const event = { event: 'user_created', id: made.id, email, ts: made.created_at.toISOString() } as const
          tx.append(eventMessage(event, newId(), trace))
          return made
        },
        { settle: true },
      )
      return account ?? taken(address)
    },

    // The same steps, and so the same time, whether the e-mail is known or not.
    async logIn({ email, password, network, trace }) {
      const key = emailKey(email)
      const account = { kind: 'account', name: key } as const
      const address = { kind: 'address', name: network } as const
      await throttle.admit(account, address)
      const secret = await findSecret(database, key)
      const isRight = await hasher.verify(secret?.password_hash, password)
      // Once more, right or wrong: guesses that come all at once are told no more than those that come one by one.
      await throttle.admit(account, address)
      if (secret === undefined || !isRight) {
        await throttle.failed(account, address)
        throw new PlatformError(moduleError(errors, 'INVALID_CREDENTIALS'), 'e-mail or password is wrong')
      }
      await throttle.succeeded(account)
      const event = { event: 'login', id: secret.id, ts: new Date(now()).toISOString() } as const
      await log.inTransaction((tx) => tx.append(eventMessage(event, newId(), trace)), { settle: true })
      return { id: secret.id, uid: secret.uid }
    },
  }
}

function requireCredentials(email: string, password: string): void {
  if (!isEmail(email)) throw invalidRequest(`email must be an e-mail address, got ${shown(email)}`)
  if (isPassword(password)) return
  throw invalidRequest(`password must have ${passwordLength.min} to ${passwordLength.max} characters`)
}

function shown(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
}
