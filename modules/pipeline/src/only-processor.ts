import type { WakeUps } from '@headrace/database'
import { PlatformError, sleep } from '@headrace/runtime'

/** First key of the lock, "hrmq" in ASCII; the second is made of the group and topic. */
const lockClass = 0x68726d71

/** Longest wait in ms for the connection and its answer. */
const waitMs = 10_000
/** Time in ms in which the server notices that a process which was just killed has gone. */
const passingMs = 3_000

/**
 * With a queue in memory each process holds its own messages, while leases are shared by all on the database: a second
 * processor would leave some unread. Takes a lock that lives as long as the process, and throws `INVALID_SETTING` when
 * another one has it.
 */
export async function requireOnlyProcessor(wakeUps: WakeUps, group: string, topic: string): Promise<void> {
  await wakeUps.connected(AbortSignal.timeout(waitMs))
  for (const since = performance.now(); performance.now() - since < passingMs; await sleep(50)) {
    if (await takeLock(wakeUps, `${group} ${topic}`)) return
  }
  const advice = 'run one, or choose another QUEUE_TYPE'
  throw new PlatformError('INVALID_SETTING', `QUEUE_TYPE=memory: another processor of '${group}' runs; ${advice}`)
}

async function takeLock(wakeUps: WakeUps, name: string): Promise<boolean> {
  const text = 'select where pg_try_advisory_lock($1::int, hashtext($2))'
  const { rowCount } = await wakeUps.query({ text, values: [lockClass, name] }, waitMs)
  return rowCount === 1
}
