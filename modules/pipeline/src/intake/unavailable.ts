import { isInfrastructureError } from '@headrace/database'
import { PlatformError } from '@headrace/runtime'

/** What a caller is told when the database failed before anything was accepted; other errors as they are. */
export function asUnavailable(error: unknown): unknown {
  if (!isInfrastructureError(error) || (error instanceof PlatformError && error.code.startsWith('QUEUE_'))) return error
  return new PlatformError('QUEUE_UNAVAILABLE', 'the database is not available: nothing was accepted', { cause: error })
}
