import type { ExpressionView } from './contract.ts'
import type { Operation } from './domain/graph.ts'
import type { ExpressionRow } from './store/expressions.ts'
import type { TaskRow } from './store/tasks.ts'

/** An expression as its owner sees it. */
export function expressionView(row: ExpressionRow): ExpressionView {
  return {
    id: row.id,
    user_id: row.user_id,
    raw: row.raw,
    status: row.status,
    ...(row.result !== null && { result: row.result }),
    ...(row.error !== null && { error: row.error }),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  }
}

export interface TaskView {
  readonly id: string
  readonly operation: Operation
  /** Null while unknown. */
  readonly args: (number | null)[]
  /** Tasks whose results are arguments. */
  readonly depends_on: string[]
  readonly status: TaskRow['status']
  readonly result?: number
  readonly worker?: string
  readonly started_at?: string
  readonly finished_at?: string
}

/** A task as the owner of its expression sees it. `isEnded`: of the expression; what waits then will never run. */
export function taskView(row: TaskRow, isEnded: boolean): TaskView {
  const sources = [row.id1, row.id2].filter((id) => id !== null)
  return {
    id: row.id,
    operation: row.operation,
    args: [row.arg1, row.arg2],
    depends_on: [...new Set(sources)],
    status: isEnded && row.status === 'waiting' ? 'cancelled' : row.status,
    ...(row.result !== null && { result: row.result }),
    ...(row.worker !== null && { worker: row.worker }),
    ...(row.started_at !== null && { started_at: row.started_at.toISOString() }),
    ...(row.finished_at !== null && { finished_at: row.finished_at.toISOString() }),
  }
}
