import type { Queryable, WakeUps } from '@headrace/database'
import { isInfrastructureError } from '@headrace/database'
import type { Live } from '@headrace/live'
import { type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import { subjectOf } from '../events.ts'
import { type ToldTaskRow, tasksAround } from '../store/tasks.ts'
import { taskView } from '../views.ts'

export interface TaskUpdatesNeeds {
  readonly database: Queryable
  readonly live: Pick<Live, 'hint'>
  readonly wakeUps: Pick<WakeUps, 'isAlone'>
  /** False where nobody can be listening. */
  readonly mayBeWatched: () => boolean
  readonly onError: OnBackgroundError
}

/** Tells the owners of expressions which tasks have changed. */
export interface TaskUpdates extends Running {
  changed(tasks: readonly { readonly taskId: string }[]): void
}

/** Pause in ms: at most 10 events a second for one expression. */
const everyMs = 100

/** Tasks in one look at the database; what is more comes with the next. */
const mostTasks = 256

/** Tasks in one event for other processes: what pub/sub between them carries in one message. */
const mostAbroad = 16

/** Gathers changes and tells them ten times a second. Nothing here is kept: whoever missed an event reads the tasks. */
export function startTaskUpdates({ database, live, wakeUps, mayBeWatched, onError }: TaskUpdatesNeeds): TaskUpdates {
  const changed = new Set<string>()
  const loop = startLoop({
    name: 'calculator task updates',
    async run(signal) {
      await sleep(everyMs, signal)
      if (signal.aborted || changed.size === 0) return
      // The latest: where more happens than can be told, what is told is at least new.
      const told = [...changed].slice(-mostTasks)
      changed.clear()
      tell(await tasksAround(database, told))
    },
    onError(error, name) {
      if (!isInfrastructureError(error)) onError(error, name)
    },
  })

  function tell(rows: readonly ToldTaskRow[]): void {
    for (const [expressionId, tasks] of Map.groupBy(rows, (row) => row.expression_id)) {
      const userId = tasks[0]?.user_id
      if (userId === undefined) continue
      const shown = (wakeUps.isAlone ? tasks : tasks.slice(-mostAbroad)).map((row) => taskView(row, row.is_ended))
      const data = { expression_id: expressionId, tasks: shown }
      live.hint({ subject: subjectOf(userId), event: 'task-update', data })
    }
  }

  return {
    changed(tasks) {
      if (mayBeWatched()) for (const { taskId } of tasks) changed.add(taskId)
    },
    stop: () => loop.stop(),
    [Symbol.asyncDispose]: () => loop.stop(),
  }
}
