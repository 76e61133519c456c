import type { Live } from '@headrace/live'
import type { LogTransaction } from '@headrace/log'
import { taskMessage } from './broker/messages.ts'
import type { Graph } from './domain/graph.ts'
import { plan } from './domain/plan.ts'
import { publishExpressions } from './events.ts'
import { insertExpressions, type NewExpression } from './store/expressions.ts'
import { insertTasks, type NewTasks } from './store/tasks.ts'

/** An expression that follows the grammar, to be stored. */
export interface Submission {
  readonly userId: number
  readonly raw: string
  readonly graph: Graph
}

export interface AcceptNeeds {
  readonly live: Pick<Live, 'publish'>
  readonly newId: () => string
  /** Leaves the tasks to whichever orchestrator takes the message; else they are made here. */
  readonly viaBroker: boolean
}

/** Stores expressions with their tasks; returns their ids in the same order. */
export async function acceptExpressions(
  tx: LogTransaction,
  submissions: readonly Submission[],
  { live, newId, viaBroker }: AcceptNeeds,
): Promise<readonly number[]> {
  const rows = await insertExpressions(
    tx,
    submissions.map((submission) => newExpression(submission, viaBroker)),
  )
  publishExpressions(tx, live, rows)
  const accepted = submissions.map((submission, index) => ({ ...submission, id: rows[index]?.id ?? 0 }))
  const toCompute = accepted.filter(({ graph }) => graph.root.kind === 'result')
  if (viaBroker) for (const one of toCompute) tx.append(taskMessage(one.id, one.userId, one.raw))
  else {
    const tasks = toCompute.map(({ id, graph }) => newTasks(id, graph, newId))
    // Not awaited, so that it shares a flight with the commit; what fails here fails the transaction.
    insertTasks(tx, tasks).catch(() => {})
  }
  return accepted.map(({ id }) => id)
}

export function newExpression({ userId, raw, graph: { root } }: Submission, viaBroker: boolean): NewExpression {
  if (root.kind === 'number') return { userId, raw, result: root.value }
  return viaBroker ? { userId, raw } : { userId, raw, root: { seq: root.of, negated: root.negated } }
}

/** The tasks of an expression's graph. */
export function newTasks(expressionId: number, graph: Graph, newId: () => string): NewTasks {
  return { expressionId, graph, plan: plan(graph), ids: graph.steps.map(() => newId()) }
}
