import type { Queryable } from '@headrace/database'
import { type ExpressionRow, expressionColumns } from './expressions.ts'
import {
  type Answer,
  answerColumns,
  type ClaimedTask,
  type LeaseTimes,
  type Slot,
  timesOf,
  type Verdict,
} from './tasks.ts'

export interface ProgressInput {
  /** At most one for each task; those that fail their task belong elsewhere. */
  readonly answers: readonly Answer[]
  /** Who can take a task. */
  readonly slots: readonly Slot[]
}

/** A task that was leased to a slot. */
export interface NextTask extends Omit<ClaimedTask, 'userId'> {
  /** Its expression has not begun. */
  readonly isFirst: boolean
  /** Its result will be the value of its expression. */
  readonly isLast: boolean
}

export interface Progress {
  /** By task. `ends`: it would end its expression and was not counted. */
  readonly verdicts: ReadonlyMap<string, Verdict | 'ends'>
  readonly claimed: readonly NextTask[]
  /** Tasks that have become ready, whoever got them. */
  readonly readied: number
}

interface ProgressRow extends Omit<NextTask, 'expressionId' | 'slot' | 'isFirst' | 'isLast'> {
  readonly verdict: Verdict | 'ends' | null
  readonly readied: number | null
  readonly expression_id: number
  readonly place: number
  readonly is_first: boolean
  readonly is_last: boolean
}

/** Counts values and leases what has become ready; see `make_progress`. Commits by itself. */
export async function makeProgress(
  database: Queryable,
  { answers, slots }: ProgressInput,
  times: LeaseTimes,
): Promise<Progress> {
  const [ids, leases, results] = answerColumns(answers)
  const { rows } = await database.query<ProgressRow>({
    name: 'calculator.make-progress',
    text: `select id, verdict, readied::int, lease, expression_id::float8, operation, arg1, arg2, place::int, is_first,
               is_last
             from calculator.make_progress($1, $2, $3, $4, $5, $6, $7)`,
    values: [
      ids,
      leases,
      results,
      slots.map(({ worker }) => worker),
      slots.map(({ lease }) => lease),
      times.leaseMs,
      timesOf(times),
    ],
  })
  const judged = rows.flatMap(({ id, verdict }) => (verdict === null ? [] : [[id, verdict] as const]))
  return {
    verdicts: new Map(judged),
    claimed: rows.filter(({ verdict }) => verdict === null).map(nextTask),
    readied: judged.length > 0 ? (rows[0]?.readied ?? 0) : 0,
  }
}

function nextTask({ expression_id, place, is_first, is_last, ...task }: ProgressRow): NextTask {
  const { id, lease, operation, arg1, arg2 } = task
  return {
    ...{ id, lease, operation, arg1, arg2 },
    expressionId: expression_id,
    slot: place - 1,
    isFirst: is_first,
    isLast: is_last,
  }
}

/** Says that expressions, and those of these tasks, are being computed; returns those that have begun with this. */
export async function beginExpressions(
  tx: Queryable,
  expressionIds: readonly number[],
  taskIds: readonly string[],
): Promise<readonly ExpressionRow[]> {
  const { rows } = await tx.query<ExpressionRow>({
    name: 'calculator.begin-expressions',
    text: `select ${expressionColumns} from calculator.begin_expressions($1, $2) order by id`,
    values: [expressionIds, taskIds],
  })
  return rows
}
