import type { Database } from '@headrace/database'
import { answerKey, forgetKey, recordKey } from '@headrace/http-kit'
import { hasCode, type OnBackgroundError, PlatformError } from '@headrace/runtime'
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
      if (hasCode(error, 'OUTCOME_UNKNOWN')) throw error
      if (key.isKnown) throw stillUnknown(item, error)
      // Nothing was accepted: the key is free again. A key that cannot be freed goes on with the same ids.
      await forgetKey(database, unanswered.id).catch(told('freeing a key'))
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

/** A repetition was refused; the request before it may have been accepted. */
function stillUnknown({ messages }: IntakeItem, cause: unknown): PlatformError {
  const details = { messageId: messages[0]?.id, providers: ['memory'] }
  const text = 'an earlier request with this key may have been accepted; this one was refused'
  return new PlatformError('OUTCOME_UNKNOWN', text, { details, cause })
}
