import type { Database } from '@headrace/database'
import { dropParked, listParked, redriveParked } from '@headrace/inbox'
import { hasCode } from '@headrace/runtime'

/** What somebody may decide about a message that was set aside. */
export interface ParkedChange {
  readonly name: 'redrive' | 'drop'
  readonly description: string
  /** The end of the sentence "7 messages …". */
  readonly done: string
  /** Asked before; `what` is "message 7" or "7 dead messages". */
  question(what: string): string
  /** Whether it asks for a single message, too: only where something is lost by it. */
  readonly asksForOne: boolean
  /** Throws `NOT_FOUND`. */
  apply(database: Database, seq: number): Promise<void>
}

export const redrive: ParkedChange = {
  name: 'redrive',
  description: 'send messages back: they run again with a full number of attempts, before those behind them',
  done: 'sent back',
  question: (what) => `Send ${what} back?`,
  asksForOne: false,
  apply: redriveParked,
}

export const drop: ParkedChange = {
  name: 'drop',
  description: 'throw messages away for good; their keys go on',
  done: 'dropped',
  question: (what) => `Throw ${what} away for good?`,
  asksForOne: true,
  apply: dropParked,
}

export interface DeadFilter {
  readonly group?: string
  readonly topic?: string
}

const pageSize = 1000

/** The ids of all dead messages of a group or topic. Those that still run by themselves are left alone. */
export async function deadMessages(database: Database, { group, topic }: DeadFilter): Promise<readonly number[]> {
  const dead: number[] = []
  for (let after = 0; ; ) {
    const page = await listParked(database, {
      ...(group && { group }),
      ...(topic && { topic }),
      after,
      limit: pageSize,
    })
    dead.push(...page.filter(({ state }) => state === 'dead').map(({ seq }) => seq))
    if (page.length < pageSize) return dead
    after = page.at(-1)?.seq ?? after
  }
}

/** Changes the messages one by one and returns those that were still there. */
export async function applyToAll(
  database: Database,
  change: ParkedChange,
  all: readonly number[],
): Promise<readonly number[]> {
  const changed: number[] = []
  for (const seq of all) {
    try {
      await change.apply(database, seq)
      changed.push(seq)
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND')) throw error
    }
  }
  return changed
}
