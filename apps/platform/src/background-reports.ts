import { isInfrastructureError } from '@headrace/database'
import { atMostEvery, type Logger, messageOf, type OnBackgroundError } from '@headrace/runtime'

/** Pause in ms between two lines that say the same of what is away: every reader of every partition meets it. */
const everyMs = 5_000

/** Logs what failed in the background; of what is away one line now and then, of everything else each. */
export function backgroundReports(logger: Pick<Logger, 'warn'>): OnBackgroundError {
  const isDue = atMostEvery(everyMs)
  return (error, name) => {
    const message = messageOf(error)
    if (isInfrastructureError(error) && !isDue(message)) return
    logger.warn(`${name} failed and is tried again: ${message}`, { error })
  }
}
