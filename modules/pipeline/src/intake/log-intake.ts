import { type Database, gather, type Transaction } from '@headrace/database'
import { answerKey, type KeyRecord, recordKeys } from '@headrace/http-kit'
import type { Log } from '@headrace/log'
import { type FaultPoints, hasCode, PlatformError } from '@headrace/runtime'
import type { Durability } from '@headrace/transport'
import type { Backlog } from '../backlog.ts'
import type { GatherSizes } from '../gather-sizes.ts'
import type { Intake, IntakeItem, IntakeKey } from './intake.ts'
import { asUnavailable } from './unavailable.ts'

export interface LogIntakeNeeds {
  readonly database: Database
  readonly log: Log
  readonly topic: string
  readonly faults: FaultPoints
  readonly gatherSizes: GatherSizes
  readonly backlog: Backlog
  readonly durability: Durability
}

/** Accepts through the log: requests that arrive while a commit is in flight share the next one. */
export function logIntake(needs: LogIntakeNeeds): Intake {
  const { database, log, topic, faults, gatherSizes, backlog } = needs
  const gathering = gather<IntakeItem>({
    // One is committed while the next is on its way; a third only waits for the same heads.
    flights: 2,
    bytesOf: ({ messages }) => messages.reduce((sum, { body }) => sum + body.byteLength, 0),
    database,
    write(tx, items) {
      gatherSizes.observe(items.length)
      const appending = log.appendingTo(tx)
      for (const { messages, placed } of items) {
        for (const message of messages) appending.append({ topic, ...message, ...(placed && { placed }) })
      }
      writeKeys(tx, items)
    },
    onStep: (step) => faults.at(step === 'before' ? 'gather.before-commit' : 'gather.after-commit'),
  })
  return {
    durability: needs.durability,
    async accept(item) {
      try {
        await gathering.submit(item)
        backlog.added(item.messages.length)
      } catch (error) {
        throw acceptError(error, item)
      }
    },
    drain: () => gathering.drain(),
  }
}

/** Keys stand in the transaction of their messages. Not awaited: what fails here fails the transaction. */
function writeKeys(tx: Transaction, items: readonly IntakeItem[]): void {
  const keys = items.flatMap(({ key }) => (key === undefined ? [] : [key]))
  if (keys.length === 0) return
  const fresh = keys.filter(({ isKnown }) => !isKnown).map(recorded)
  if (fresh.length > 0) recordKeys(tx, fresh).catch(toldAtCommit)
  for (const { record, isKnown, answersLater } of keys) {
    if (isKnown && !answersLater) answerKey(tx, record.id, record.response).catch(toldAtCommit)
  }
}

function recorded({ record: { response, ...unanswered }, answersLater }: IntakeKey): KeyRecord {
  return answersLater ? unanswered : { ...unanswered, response }
}

function toldAtCommit(): void {}

function acceptError(error: unknown, { messages }: IntakeItem): unknown {
  if (hasCode(error, 'COMMIT_UNKNOWN')) {
    const details = { messageId: messages[0]?.id, providers: ['postgres'] }
    return new PlatformError('OUTCOME_UNKNOWN', 'the database did not say whether it accepted', {
      details,
      cause: error,
    })
  }
  return asUnavailable(error)
}
