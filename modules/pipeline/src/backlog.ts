import { type Database, isInfrastructureError } from '@headrace/database'
import { queueStatus } from '@headrace/inbox'
import type { Log } from '@headrace/log'
import type { PipelineQueue } from './context.ts'
import { queueSize } from './domain/queue-size.ts'

export interface BacklogNeeds {
  readonly database: Database
  readonly log: Log
  readonly queue: PipelineQueue
  readonly topic: string
  readonly group: string
  /** Most messages that wait. */
  readonly capacity: number
}

/** How many messages are accepted and not yet processed. */
export interface Backlog {
  readonly capacity: number
  /** What is known without asking; see `queueSize`. */
  readonly estimate: number
  /** True when the estimate leaves no room. */
  readonly isFull: boolean
  added(count: number): void
  removed(count: number): void
  /** Counts what waits now, or gives the last count when the database is away. */
  count(): Promise<number>
  /** Counts when something changed since the last count, or when it is full. */
  refresh(): Promise<void>
}

/** The backlog of this process's queue. Passive: it counts when asked. */
export function backlog(needs: BacklogNeeds): Backlog {
  const { capacity } = needs
  const size = queueSize()
  let counting: Promise<void> | undefined
  let changed = true

  async function recount(): Promise<void> {
    changed = false
    const done = size.counting()
    try {
      done(await countWaiting(needs))
    } catch (error) {
      changed = true
      if (!isInfrastructureError(error)) throw error
    }
  }

  function countNow(): Promise<void> {
    counting ??= recount().finally(() => {
      counting = undefined
    })
    return counting
  }

  const self: Backlog = {
    capacity,
    get estimate() {
      return size.value
    },
    get isFull() {
      return self.estimate >= capacity
    },
    added(count) {
      changed = true
      size.added(count)
    },
    removed(count) {
      changed = true
      size.removed(count)
    },
    async count() {
      // One that is under way may have looked before what the caller knows of.
      await counting
      await countNow()
      return self.estimate
    },
    async refresh() {
      if (changed || self.isFull) await countNow()
    },
  }
  return self
}

async function countWaiting(needs: BacklogNeeds): Promise<number> {
  const { queue } = needs
  const waiting = await waitingInDatabase(needs)
  return queue.type === 'memory' ? waiting + queue.transport.size().messages : waiting
}

async function waitingInDatabase({ database, log, topic, group }: BacklogNeeds): Promise<number> {
  const queues = await queueStatus(database)
  const own = queues.find((queue) => queue.group === group && queue.topic === topic)
  if (own !== undefined) return own.lag + own.queued
  // No processor has ever run.
  const heads = await log.heads(topic)
  return heads.reduce((sum, { nextOffset }) => sum + nextOffset - 1, 0)
}
