import type { Collector, Queryable } from '@headrace/database'
import type { Purse } from '../domain/till.ts'

/** An account that is locked, with its id. */
export interface LockedAccount extends Purse {
  readonly id: string
}

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
 * everybody else who moves their money. Accounts come before payments. One array, because no index serves an `or`.
 */
export async function lockAccounts(
  tx: Queryable,
  of: { readonly userIds: readonly string[]; readonly orderIds: readonly string[] },
): Promise<LockedAccount[]> {
  const { rows } = await tx.query<Pick<AccountRow, 'id' | 'user_id' | 'balance_minor'>>({
    name: 'payments.lock-accounts',
    text: `select id, user_id, balance_minor from payments.account
           where user_id = any($1 || array(select user_id from payments.payment where order_id = any($2)))
           order by user_id for no key update`,
    values: [of.userIds, of.orderIds],
  })
  return rows.map((row) => ({ id: row.id, userId: row.user_id, balanceMinor: row.balance_minor }))
}

/** A balance as a transaction leaves it. */
export interface NewBalance extends Purse {
  /** By the database's clock, in ms since the epoch. */
  readonly atMs: number
}

/**
 * Writes balances of accounts that this transaction has locked. Their ids are given twice, because the plan of a join
 * alone, made while there were few accounts, would read all of them later.
 */
export const newBalances: Collector<NewBalance> = {
  name: 'payments.update-balances',
  rank: 1,
  statement: (balances) => ({
    name: 'payments.update-balances',
    text: `update payments.account a set balance_minor = c.balance_minor, updated_at = to_timestamp(c.at_ms / 1000)
           from unnest($1::uuid[], $2::bigint[], $3::float8[]) as c(user_id, balance_minor, at_ms)
           where a.user_id = c.user_id and a.user_id = any($1)`,
    values: [
      balances.map(({ userId }) => userId),
      balances.map(({ balanceMinor }) => balanceMinor),
      balances.map(({ atMs }) => atMs),
    ],
  }),
}
