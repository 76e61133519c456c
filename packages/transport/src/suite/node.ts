import { type Database, openDatabase, startWakeUps, type WakeUps } from '@headrace/database'
import { type Log, openLog } from '@headrace/log'
import type { OnBackgroundError } from '@headrace/runtime'

/** What one process has of a database, closed in reverse order. */
export interface DatabaseNode extends AsyncDisposable {
  /** As in `pg_stat_activity`. */
  readonly name: string
  readonly database: Database
  readonly wakeUps: WakeUps
  readonly log: Log
}

let nodes = 0

/** Opens a migrated database as one process does. */
export async function openNode(url: string, onError: OnBackgroundError): Promise<DatabaseNode> {
  nodes += 1
  const name = `suite-node-${nodes}`
  await using opening = new AsyncDisposableStack()
  const database = opening.use(openDatabase({ url, maxConnections: 6, applicationName: name }))
  const wakeUps = opening.use(startWakeUps({ url, applicationName: name }))
  const log = opening.use(await openLog({ database, wakeUps, onError }))
  const open = opening.move()
  let closed: Promise<void> | undefined
  return { name, database, wakeUps, log, [Symbol.asyncDispose]: () => (closed ??= open.disposeAsync()) }
}
