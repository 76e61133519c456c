import type { Dispatcher } from '../orchestrator/dispatcher.ts'
import { exchange } from '../orchestrator/exchange.ts'
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
  const who = { worker, isBrief: isInstant }
  const maxOf = (most: number) => (isInstant ? instantTasks : most)

  async function tell(report: TaskReport): Promise<void> {
    const { id: taskId, lease } = report.task
    if (report.kind === 'release') dispatcher.release([{ taskId, lease }])
    else await dispatcher.answer({ taskId, lease, outcome: report.outcome })
  }
  return {
    take: (most, signal) => dispatcher.take({ max: maxOf(most), ...who, waitMs, signal }),
    async report(reports, most) {
      const telling = Promise.all(reports.map(tell))
      if (most > 0) return (await exchange(dispatcher, telling, { max: maxOf(most), ...who })).next
      await telling
      return []
    },
    async lost(tasks) {
      const lost = await dispatcher.lost(tasks.map(({ id: taskId, lease }) => ({ taskId, lease })))
      return tasks.filter(({ id }) => lost.includes(id))
    },
    async close() {},
  }
}
