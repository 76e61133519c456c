import type { Delivery } from '@headrace/inbox'
import type { Live } from '@headrace/live'
import type { LogTransaction } from '@headrace/log'
import { publishChanges } from '../events.ts'
import {
  answerTasks,
  type LeaseTimes,
  lockExpressions,
  oneForEachTask,
  releaseTasks,
  startTasks,
} from '../store/tasks.ts'
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
    const releases = results.flatMap((result) => (result.kind === 'released' ? [result.release] : []))
    const tasks = [...starts, ...answers, ...releases]
    await lockExpressions(
      tx,
      tasks.map(({ taskId }) => taskId),
    )
    // Before the others: some are about what was just started.
    if (starts.length > 0) await startTasks(tx, starts, times)
    for (const round of oneForEachTask(answers)) await answerTasks(tx, round)
    if (releases.length > 0) await releaseTasks(tx, releases)
    await publishChanges(tx, live)
    tx.afterCommit(() => onChanged(tasks))
  }
}
