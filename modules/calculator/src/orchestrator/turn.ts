import type { Transaction } from '@headrace/database'
import type { Live } from '@headrace/live'
import { publishExpressions } from '../events.ts'
import { changedExpressions } from '../store/expressions.ts'
import {
  type Answer,
  answerTasks,
  type ClaimedTask,
  claimTasks,
  type Judged,
  type LeaseTimes,
  releaseTasks,
  type Slot,
} from '../store/tasks.ts'

/** A lease that its holder gives back. */
export interface Release {
  readonly taskId: string
  readonly lease: string
}

export interface TurnInput {
  /** At most one for each task. */
  readonly answers: readonly Answer[]
  readonly releases: readonly Release[]
  /** Who can take a task. */
  readonly slots: readonly Slot[]
}

export interface TurnOutcome {
  readonly judged: readonly Judged[]
  readonly claimed: readonly ClaimedTask[]
  /** Tasks that have become ready, whoever got them. */
  readonly readied: number
}

export interface TurnNeeds {
  readonly live: Pick<Live, 'publish'>
  readonly times: LeaseTimes
}

/**
 * What one transaction does for workers: counts their answers, leases what has become ready, and tells the owners of
 * expressions that have begun or ended. Sends everything in one flight.
 *
 * Progress alone is committed without waiting for the disk: what a crash of the database takes back is computed again.
 * A status that somebody can have seen is durable, and with it all progress before.
 */
export async function takeTurn(tx: Transaction, input: TurnInput, { live, times }: TurnNeeds): Promise<TurnOutcome> {
  const { answers, releases, slots } = input
  const [answered, released, claimed, changed] = await Promise.all([
    answers.length > 0 ? answerTasks(tx, answers) : nothing,
    releases.length > 0 ? releaseTasks(tx, releases) : 0,
    slots.length > 0 ? claimTasks(tx, slots, { ...times, isStarted: true }) : [],
    changedExpressions(tx),
  ])
  publishExpressions(tx, live, changed)
  // Shares the flight of COMMIT.
  if (changed.length === 0) void tx.query({ text: 'set local synchronous_commit to off' })
  return { judged: answered.judged, claimed, readied: answered.readied + released }
}

const nothing = { judged: [], readied: 0 } as const
