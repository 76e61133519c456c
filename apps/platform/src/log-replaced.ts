import type { Database, WakeUps } from '@headrace/database'
import { currentIncarnation, type Log } from '@headrace/log'
import { backoffMs, PlatformError, type Running, sleep } from '@headrace/runtime'

/** A watch over which copy of the database a process works on. */
export interface LogWatch extends Running {
  /** Resolves when the database has become another copy than the one that the process started on. */
  readonly replaced: Promise<PlatformError>
}

/**
 * Looks at the log's incarnation whenever the connection to the database was lost: after a failover it may be a copy
 * that lacks what this process has already seen. Then the process has to end and start anew; its offsets mean nothing there.
 */
export function watchLog(log: Log, database: Database, wakeUps: WakeUps): LogWatch {
  const stopping = new AbortController()
  const { promise: replaced, resolve } = Promise.withResolvers<PlatformError>()
  let looking: Promise<void> = Promise.resolve()
  const look = async () => {
    for (let attempt = 1; !stopping.signal.aborted; attempt += 1) {
      const id = await currentIncarnation(database).catch(() => undefined)
      if (id === log.id) return
      if (id !== undefined) {
        const message = `the database is another copy now (its log was ${log.id} and is ${id}): start again`
        return resolve(new PlatformError('LOG_REPLACED', message, { details: { was: log.id, is: id } }))
      }
      await sleep(backoffMs(attempt, { baseMs: 100, maxMs: 2_000 }), stopping.signal)
    }
  }
  const unwatch = wakeUps.onLost(() => {
    looking = looking.then(look)
  })
  const stop = async () => {
    unwatch()
    stopping.abort()
    await looking
  }
  return { replaced, stop, [Symbol.asyncDispose]: stop }
}
