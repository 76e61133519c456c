import type { Queryable } from '@headrace/database'
import type { Purse } from '../domain/till.ts'

/** A customer's account. */
export interface AccountRow {
  readonly id: string
  readonly user_id: string
  readonly balance_minor: number
  readonly created_at: Date
  readonly updated_at: Date
}

/** Opens an account; undefined when the customer has one. */
export async function insertAccount(
  tx: Queryable,
  account: { readonly id: string; readonly userId: string },
): Promise<AccountRow | undefined> {
  const { rows } = await tx.query<AccountRow>({
    name: 'payments.insert-account',
    text: `insert into payments.account (id, user_id) values ($1, $2) on conflict (user_id) do nothing
           returning id, user_id, balance_minor, created_at, updated_at`,
    values: [account.id, account.userId],
  })
  return rows[0]
}

export async function findAccount(database: Queryable, userId: string): Promise<AccountRow | undefined> {
  const { rows } = await database.query<AccountRow>({
    name: 'payments.find-account',
    text: `select id, user_id, balance_minor, created_at, updated_at from payments.account where user_id = $1`,
    values: [userId],
  })
  return rows[0]
}

/**
 * Locks the accounts of these customers and of those whom these orders' payments belong to, in one order: against
 * everybody else who moves their money. Accounts come before payments.
 */
export async function lockAccounts(
  tx: Queryable,
  of: { readonly userIds: readonly string[]; readonly orderIds: readonly string[] },
): Promise<Purse[]> {
  const { rows } = await tx.query<Pick<AccountRow, 'user_id' | 'balance_minor'>>({
    name: 'payments.lock-accounts',
    text: `select user_id, balance_minor from payments.account
           where user_id = any($1) or user_id in (select user_id from payments.payment where order_id = any($2))
           order by user_id for no key update`,
    values: [of.userIds, of.orderIds],
  })
  return rows.map((row) => ({ userId: row.user_id, balanceMinor: row.balance_minor }))
}

/** Writes balances of accounts that this transaction has locked; returns their rows. */
export async function updateBalances(tx: Queryable, purses: readonly Purse[]): Promise<AccountRow[]> {
  const { rows } = await tx.query<AccountRow>({
    name: 'payments.update-balances',
    text: `update payments.account a set balance_minor = c.balance_minor, updated_at = clock_timestamp()
           from unnest($1::uuid[], $2::bigint[]) as c(user_id, balance_minor) where a.user_id = c.user_id
           returning a.id, a.user_id, a.balance_minor, a.created_at, a.updated_at`,
    values: [purses.map(({ userId }) => userId), purses.map(({ balanceMinor }) => balanceMinor)],
  })
  return rows
}
