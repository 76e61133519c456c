import { type Delivery, MessageError, PoisonMessageError } from '@headrace/inbox'
import type { Live } from '@headrace/live'
import type { LogTransaction } from '@headrace/log'
import { v7 } from 'uuid'
import { newExpression, newTasks } from '../accept.ts'
import { ExpressionError } from '../domain/expression-error.ts'
import type { Graph } from '../domain/graph.ts'
import { parse } from '../domain/parse.ts'
import { publishChanges } from '../events.ts'
import { failExpression, findExpression, insertExpressions, setRoot } from '../store/expressions.ts'
import { insertTasks, type NewTasks } from '../store/tasks.ts'
import { readTask, type TaskMessage } from './messages.ts'

export interface ExpressionsHandlerNeeds {
  readonly live: Pick<Live, 'publish'>
  readonly limitBytes: number
  /** Told after the commit that there are tasks. */
  readonly onTasks: () => void
}

/** Tasks in one insert, or those of one expression: a batch of large ones has many times more than its bytes. */
const mostTasks = 10_000

/** Makes the tasks of expressions, and the rows of those that came without one. */
export function expressionsHandler({ live, limitBytes, onTasks }: ExpressionsHandlerNeeds) {
  return async (tx: LogTransaction, deliveries: readonly Delivery[]): Promise<void> => {
    const made: NewTasks[] = []
    let tasks = 0
    for (const delivery of deliveries) {
      const message = readTask(delivery)
      const graph = graphOf(message.expression, limitBytes)
      const one = await (message.exprId === undefined
        ? makeRow(tx, message, graph)
        : completeRow(tx, { ...message, exprId: message.exprId }, graph, delivery))
      if (one === undefined) continue
      made.push(one)
      tasks += one.graph.steps.length
      if (tasks < mostTasks) continue
      await insertTasks(tx, made.splice(0))
      tasks = 0
    }
    await insertTasks(tx, made)
    await publishChanges(tx, live)
    tx.afterCommit(onTasks)
  }
}

/** The graph, or why there is none. */
function graphOf(expression: string, limitBytes: number): Graph | string {
  if (Buffer.byteLength(expression) > limitBytes) return `expression is longer than ${limitBytes} bytes`
  try {
    return parse(expression)
  } catch (error) {
    if (error instanceof ExpressionError) return error.message
    throw error
  }
}

async function makeRow(tx: LogTransaction, { userId, expression: raw }: TaskMessage, graph: Graph | string) {
  const row = typeof graph === 'string' ? { userId, raw, error: graph } : newExpression({ userId, raw, graph }, false)
  const [made] = await insertExpressions(tx, [row])
  if (made === undefined || typeof graph === 'string') return undefined
  return newTasks(made.id, graph, v7)
}

/** The row is there since the request; a message that comes again finds its root set, or the expression ended. */
async function completeRow(
  tx: LogTransaction,
  { exprId: id, userId }: TaskMessage & { readonly exprId: number },
  graph: Graph | string,
  delivery: Delivery,
) {
  if ((await findExpression(tx, id, userId)) === undefined) {
    const reason = `expression ${id} of user ${userId} is not there`
    throw new MessageError(delivery.id, new PoisonMessageError(reason))
  }
  if (typeof graph === 'string') {
    await failExpression(tx, id, userId, graph)
    return undefined
  }
  if (graph.root.kind === 'number') return undefined
  const { of: seq, negated } = graph.root
  return (await setRoot(tx, { id, userId, seq, negated })) ? newTasks(id, graph, v7) : undefined
}
