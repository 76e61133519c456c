import type { PubSub } from '@headrace/keyvalue'
import { Bell, type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import { tellChanged } from '../changed-tasks.ts'

export interface TaskChangesNeeds {
  readonly pubsub: Pick<PubSub, 'publish'>
  /** False where nobody can be listening. */
  readonly mayBeWatched: () => boolean
  readonly onError: OnBackgroundError
}

/** Tells the processes that serve streams which tasks have changed. */
export interface TaskChanges extends Running {
  add(tasks: readonly { readonly taskId: string }[]): void
}

/** Pause in ms between two messages: what is published between processes is a commit each. */
const everyMs = 100

const idleMs = 60_000

/** Gathers changes: the first is told at once, those of the next tenth of a second together. */
export function startTaskChanges({ pubsub, mayBeWatched, onError }: TaskChangesNeeds): TaskChanges {
  const changed = new Set<string>()
  const bell = new Bell()
  const loop = startLoop({
    name: 'calculator task changes',
    async run(signal) {
      if (!(await bell.wait(idleMs, signal))) return
      const taskIds = [...changed]
      changed.clear()
      tellChanged(pubsub, taskIds)
      await sleep(everyMs, signal)
    },
    onError,
  })
  return {
    add(tasks) {
      if (tasks.length === 0 || !mayBeWatched()) return
      for (const { taskId } of tasks) changed.add(taskId)
      bell.ring()
    },
    stop: () => loop.stop(),
    [Symbol.asyncDispose]: () => loop.stop(),
  }
}
