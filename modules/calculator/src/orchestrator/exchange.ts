import type { WorkerTask } from '../contract.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { PollRequest } from './polls.ts'

/**
 * Leases what comes next to a worker whose answers are being counted: often what they have made ready. Throws what keeps
 * them from being counted; the worker hears of no task then, and those that it was to get are given back.
 */
export async function exchange<T>(
  dispatcher: Dispatcher,
  counting: Promise<T>,
  poll: Omit<PollRequest, 'waitMs' | 'isPassing'>,
): Promise<{ readonly counted: T; readonly next: readonly WorkerTask[] }> {
  const taking = dispatcher.take({ ...poll, waitMs: 0, isPassing: true })
  const [counted, taken] = await Promise.allSettled([counting, taking])
  const next = taken.status === 'fulfilled' ? taken.value : []
  if (counted.status === 'fulfilled') return { counted: counted.value, next }
  dispatcher.release(next.map(({ id: taskId, lease }) => ({ taskId, lease })))
  throw counted.reason
}
