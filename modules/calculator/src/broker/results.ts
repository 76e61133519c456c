import type { Delivery } from '@headrace/inbox'
import type { Live } from '@headrace/live'
import type { LogTransaction } from '@headrace/log'
import { publishChanges } from '../events.ts'
import { answerTasks, type LeaseTimes, lockExpressions, oneForEachTask, startTasks } from '../store/tasks.ts'
import { readResult } from './messages.ts'

export interface ResultsHandlerNeeds {
  readonly live: Pick<Live, 'publish'>
  readonly times: LeaseTimes
  /** Told after the commit which tasks have changed. */
  readonly onChanged: (tasks: readonly { readonly taskId: string }[]) => void
}

/** Counts what workers say. */
export function resultsHandler({ live, times, onChanged }: ResultsHandlerNeeds) {
  return async (tx: LogTransaction, deliveries: readonly Delivery[]): Promise<void> => {
    const results = deliveries.map(readResult)
    const starts = results.flatMap((result) => (result.kind === 'started' ? [result.start] : []))
    const answers = results.flatMap((result) => (result.kind === 'answer' ? [result.answer] : []))
    const tasks = [...starts, ...answers]
    await lockExpressions(
      tx,
      tasks.map(({ taskId }) => taskId),
    )
    // Before the answers: some are about what was just started.
    if (starts.length > 0) await startTasks(tx, starts, times)
    for (const round of oneForEachTask(answers)) await answerTasks(tx, round)
    await publishChanges(tx, live)
    tx.afterCommit(() => onChanged(tasks))
  }
}
