import type { Queryable } from '@headrace/database'

export type ExpressionStatus = 'pending' | 'computing' | 'done' | 'failed'

export interface ExpressionRow {
  readonly id: number
  readonly user_id: number
  readonly raw: string
  readonly status: ExpressionStatus
  readonly result: number | null
  readonly error: string | null
  readonly created_at: Date
  readonly updated_at: Date
}

/** The columns of an `ExpressionRow`. */
export const expressionColumns = 'id::float8, user_id::float8, raw, status, result, error, created_at, updated_at'

export interface NewExpression {
  readonly userId: number
  readonly raw: string
  /** The value where nothing has to be computed. */
  readonly result?: number
  /** The task that has the value, and whether its sign is turned; undefined while it is not known. */
  readonly root?: { readonly seq: number; readonly negated: boolean }
  /** Why it is no expression. */
  readonly error?: string
}

/** Inserts expressions and returns their rows in the same order. */
export async function insertExpressions(
  tx: Queryable,
  expressions: readonly NewExpression[],
): Promise<readonly ExpressionRow[]> {
  const { rows } = await tx.query<ExpressionRow>({
    name: 'calculator.insert-expressions',
    // Ids are drawn in the order of places, and so are in the same order as what they stand for.
    text: `insert into calculator.expression (user_id, raw, status, result, root, root_negated, error)
           select user_id, raw,
               case when error is not null then 'failed' when result is not null then 'done' else 'pending' end,
               result, root, root_negated, error
             from unnest($1::bigint[], $2::text[], $3::float8[], $4::int[], $5::boolean[], $6::text[])
               with ordinality as new(user_id, raw, result, root, root_negated, error, place)
             order by place
           returning ${expressionColumns}`,
    values: [
      expressions.map(({ userId }) => userId),
      expressions.map(({ raw }) => raw),
      expressions.map(({ result }) => (result === undefined ? null : numberText(result))),
      expressions.map(({ root }) => root?.seq ?? null),
      expressions.map(({ root }) => root?.negated ?? false),
      expressions.map(({ error }) => error ?? null),
    ],
  })
  return rows.sort((a, b) => a.id - b.id)
}

/** As text, because the driver writes −0 as 0. */
export function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

/** Gives an expression its root before its tasks are inserted. False where it has one, or has ended. */
export async function setRoot(
  tx: Queryable,
  { id, userId, seq, negated }: { id: number; userId: number; seq: number; negated: boolean },
): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'calculator.set-root',
    text: `update calculator.expression set root = $3, root_negated = $4
             where id = $1 and user_id = $2 and root is null and status = 'pending'`,
    values: [id, userId, seq, negated],
  })
  return rowCount > 0
}

/** Ends an expression that is none. Changes nothing where it has begun or ended. */
export async function failExpression(tx: Queryable, id: number, userId: number, error: string): Promise<void> {
  await tx.query({
    name: 'calculator.fail-expression',
    text: `update calculator.expression
             set status = 'failed', error = $3, updated_at = clock_timestamp(), changed_in = pg_current_xact_id()
             where id = $1 and user_id = $2 and root is null and status = 'pending'`,
    values: [id, userId, error],
  })
}

/** Those whose status this transaction has changed, itself included. */
export async function changedExpressions(tx: Queryable): Promise<readonly ExpressionRow[]> {
  const { rows } = await tx.query<ExpressionRow>({
    name: 'calculator.changed-expressions',
    text: `select ${expressionColumns} from calculator.changed_expressions() order by id`,
  })
  return rows
}

/** An expression of this user. */
export async function findExpression(
  database: Queryable,
  id: number,
  userId: number,
): Promise<ExpressionRow | undefined> {
  const { rows } = await database.query<ExpressionRow>({
    name: 'calculator.find-expression',
    text: `select ${expressionColumns} from calculator.expression where id = $1 and user_id = $2`,
    values: [id, userId],
  })
  return rows[0]
}

export interface ListQuery {
  readonly userId: number
  readonly limit: number
  /** Only those with a smaller id. */
  readonly before?: number
  readonly status?: ExpressionStatus
}

/** Expressions of this user, newest first. */
export async function listExpressions(database: Queryable, query: ListQuery): Promise<readonly ExpressionRow[]> {
  const { rows } = await database.query<ExpressionRow>({
    name: 'calculator.list-expressions',
    replan: true,
    text: `select ${expressionColumns} from calculator.expression
             where user_id = $1 and id < $2 and ($3::text is null or status = $3) order by id desc limit $4`,
    values: [query.userId, query.before ?? Number.MAX_SAFE_INTEGER, query.status ?? null, query.limit],
  })
  return rows
}

/** Ends an expression that has not ended; false where this user has none with this id. */
export async function cancelExpression(tx: Queryable, id: number, userId: number): Promise<boolean> {
  const { rows } = await tx.query<{ found: boolean }>({
    name: 'calculator.cancel-expression',
    text: 'select calculator.cancel_expression($1, $2) as found',
    values: [id, userId],
  })
  return rows[0]?.found === true
}
