import type { Dispatcher } from '../orchestrator/dispatcher.ts'
import type { OrchestratorLink, TaskReport } from './link.ts'

/** How long a worker waits for a task before it asks again, in ms. */
const waitMs = 30_000

/** Most tasks at a time where operations take no time. */
export const instantTasks = 256

/** The way to an orchestrator in this process. */
export function localLink(
  { dispatcher, isInstant }: { readonly dispatcher: Dispatcher; readonly isInstant: boolean },
  worker: string,
): OrchestratorLink {
  async function tell(report: TaskReport): Promise<void> {
    const { id: taskId, lease } = report.task
    if (report.kind === 'release') dispatcher.release({ taskId, lease })
    else await dispatcher.answer({ taskId, lease, outcome: report.outcome })
  }
  return {
    take: (most, signal) => dispatcher.take({ max: isInstant ? instantTasks : most, worker, waitMs, signal }),
    async report(reports) {
      await Promise.all(reports.map(tell))
    },
    async close() {},
  }
}
