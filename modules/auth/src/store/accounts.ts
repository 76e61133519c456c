import type { MigrationSource, Queryable } from '@headrace/database'

/** This module's tables. */
export const authMigrations: MigrationSource = {
  name: 'auth',
  schema: 'auth',
  directory: new URL('../../migrations/', import.meta.url),
}

/** An account. */
export interface Account {
  readonly id: number
  readonly uid: string
  readonly email: string
  readonly created_at: Date
}

export interface NewAccount {
  readonly uid: string
  readonly email: string
  readonly emailKey: string
  readonly passwordHash: string
}

/** Stores an account; undefined when the e-mail is taken. Waits for a twin that is registering it. */
export async function insertAccount(tx: Queryable, account: NewAccount): Promise<Account | undefined> {
  const { rows } = await tx.query<Account>({
    name: 'auth.insert-account',
    text: `insert into auth.users (uid, email, email_key, password_hash) values ($1, $2, $3, $4)
           on conflict (email_key) do nothing
           returning id, uid, email, created_at`,
    values: [account.uid, account.email, account.emailKey, account.passwordHash],
  })
  return rows[0]
}

export interface AccountSecret {
  readonly id: number
  readonly uid: string
  readonly password_hash: string
}

/** Who logs in with this e-mail, and what with. */
export async function findSecret(database: Queryable, emailKey: string): Promise<AccountSecret | undefined> {
  const { rows } = await database.query<AccountSecret>({
    name: 'auth.find-secret',
    text: 'select id, uid, password_hash from auth.users where email_key = $1',
    values: [emailKey],
  })
  return rows[0]
}

/** An account by its id. */
export async function findAccount(database: Queryable, id: number): Promise<Account | undefined> {
  const { rows } = await database.query<Account>({
    name: 'auth.find-account',
    text: 'select id, uid, email, created_at from auth.users where id = $1',
    values: [id],
  })
  return rows[0]
}
