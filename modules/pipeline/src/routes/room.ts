import { PlatformError } from '@headrace/runtime'
import type { Backlog } from '../backlog.ts'

/** Why nothing can be accepted now, before the body is read. */
export function fullError(backlog: Backlog): PlatformError | undefined {
  if (!backlog.isFull) return undefined
  const text = `the queue holds its limit of ${backlog.capacity} messages: nothing was accepted`
  return new PlatformError('QUEUE_FULL', text, { details: { retryAfterS: 1 } })
}
