import type { Admission } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'
import type { Backlog } from '../backlog.ts'

/**
 * Refuses before the body is read while the queue is full. Not what carries an Idempotency-Key: that may have been
 * accepted before, and is refused once it is known to be new.
 */
export function roomHook(backlog: Backlog): Admission['onRequest'] {
  return ({ headers }, _reply, done) => done(headers['idempotency-key'] === undefined ? fullError(backlog) : undefined)
}

/** Why nothing can be accepted now. */
export function fullError(backlog: Backlog): PlatformError | undefined {
  if (!backlog.isFull) return undefined
  const text = `the queue holds its limit of ${backlog.capacity} messages: nothing was accepted`
  return new PlatformError('QUEUE_FULL', text, { details: { retryAfterS: 1 } })
}
