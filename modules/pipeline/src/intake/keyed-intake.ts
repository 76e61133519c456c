import type { Database } from '@headrace/database'
import { answerKey, forgetKey, recordKey } from '@headrace/http-kit'
import { hasCode, type OnBackgroundError } from '@headrace/runtime'
import type { Intake, IntakeItem } from './intake.ts'
import { asUnavailable } from './unavailable.ts'

/**
 * Idempotency keys for an intake that is no transaction of the database: the key is recorded first, without its answer,
 * and answered afterwards. Whoever repeats a request whose answer is missing goes on with the same message ids, and a
 * message is processed once for each id.
 */
export function withKeys(intake: Intake, database: Database, onError: OnBackgroundError): Intake {
  return { ...intake, accept: (item) => (item.key === undefined ? intake.accept(item) : acceptOnce(item)) }

  async function acceptOnce(item: IntakeItem): Promise<void> {
    const { key } = item
    if (key === undefined) return
    const { response, ...unanswered } = key.record
    if (!key.isKnown) await recordKey(database, unanswered).catch(throwUnavailable)
    try {
      await intake.accept(item)
    } catch (error) {
      // Nothing was ever accepted: the key is free again. One that cannot be freed goes on with the same ids.
      const isFree = !key.isKnown && !hasCode(error, 'OUTCOME_UNKNOWN')
      if (isFree) await forgetKey(database, unanswered.id).catch(told('freeing a key'))
      throw error
    }
    await answerKey(database, unanswered.id, response).catch(told('answering a key'))
  }

  function throwUnavailable(error: unknown): never {
    throw asUnavailable(error)
  }

  function told(what: string): (error: unknown) => void {
    return (error) => onError(error, what)
  }
}
