import type { Queryable, Transaction } from '@headrace/database'
import type { Live } from '@headrace/live'
import { changedExpressions, type ExpressionRow } from './store/expressions.ts'
import { expressionView } from './views.ts'

/** The stream of a user's expressions. */
export function subjectOf(userId: number): string {
  return `calculator:${userId}`
}

/** Tells the owners of expressions that their status has changed, in the transaction that changed it. */
export function publishExpressions(
  tx: Pick<Transaction, 'collect'>,
  live: Pick<Live, 'publish'>,
  rows: readonly ExpressionRow[],
): void {
  for (const row of rows) {
    live.publish(tx, { subject: subjectOf(row.user_id), event: 'expression-update', data: expressionView(row) })
  }
}

/** Tells of everything that this transaction has changed; returns how many expressions that was. */
export async function publishChanges(
  tx: Queryable & Pick<Transaction, 'collect'>,
  live: Pick<Live, 'publish'>,
): Promise<number> {
  const rows = await changedExpressions(tx)
  publishExpressions(tx, live, rows)
  return rows.length
}
