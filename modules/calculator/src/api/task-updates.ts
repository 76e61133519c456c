import type { Queryable } from '@headrace/database'
import { isInfrastructureError } from '@headrace/database'
import type { PubSub } from '@headrace/keyvalue'
import type { Live } from '@headrace/live'
import { Bell, type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import { hearChanged } from '../changed-tasks.ts'
import { subjectOf } from '../events.ts'
import { type ToldTaskRow, tasksAround } from '../store/tasks.ts'
import { taskView } from '../views.ts'

export interface TaskUpdatesNeeds {
  readonly database: Queryable
  readonly pubsub: Pick<PubSub, 'subscribe'>
  readonly live: Pick<Live, 'connections' | 'tell'>
  readonly onError: OnBackgroundError
}

/** Pause in ms: at most 10 events a second for one expression. */
const everyMs = 100

/** Tasks in one look at the database; what is more comes with the next. */
const mostTasks = 256

/** Tasks in one event, of up to 1.2 kB each: an event holds 1 MiB. Where many wait for one result, the rest comes later. */
const mostTold = 512

/** Tasks that wait for their look; beyond it the oldest are not told. */
const mostWaiting = 20_000

const idleMs = 60_000

/**
 * Tells the owners of expressions who are connected here which tasks have changed, ten times a second. Nothing here is
 * kept: whoever missed an event reads the tasks.
 */
export function startTaskUpdates({ database, pubsub, live, onError }: TaskUpdatesNeeds): Running {
  const changed = new Set<string>()
  const bell = new Bell()
  const endHearing = hearChanged(pubsub, (taskIds) => {
    if (live.connections === 0) return
    for (const taskId of taskIds) changed.add(taskId)
    for (const taskId of changed) {
      if (changed.size <= mostWaiting) break
      changed.delete(taskId)
    }
    bell.ring()
  })
  const loop = startLoop({
    name: 'calculator task updates',
    async run(signal) {
      if (changed.size === 0 && !(await bell.wait(idleMs, signal))) return
      await sleep(everyMs, signal)
      if (signal.aborted) return
      const taskIds = [...changed].slice(0, mostTasks)
      for (const taskId of taskIds) changed.delete(taskId)
      for (const taskId of tell(live, await tasksAround(database, taskIds))) changed.add(taskId)
    },
    onError(error, name) {
      if (!isInfrastructureError(error)) onError(error, name)
    },
  })
  const stop = async () => {
    endHearing()
    await loop.stop()
  }
  return { stop, [Symbol.asyncDispose]: stop }
}

/** Sends one event for each expression; returns the tasks that did not fit. */
function tell(live: Pick<Live, 'tell'>, rows: readonly ToldTaskRow[]): readonly string[] {
  const later: string[] = []
  for (const [expressionId, tasks] of Map.groupBy(rows, (row) => row.expression_id)) {
    for (const { id } of tasks.splice(mostTold)) later.push(id)
    const [first] = tasks
    if (first === undefined) continue
    const data = { expression_id: expressionId, tasks: tasks.map((row) => taskView(row, row.is_ended)) }
    live.tell({ subject: subjectOf(first.user_id), event: 'task-update', data })
  }
  return later
}
