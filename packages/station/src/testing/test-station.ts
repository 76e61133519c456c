import {
  databaseMigrations,
  type MigrationSource,
  migrate,
  openDatabase,
  requireSupportedServer,
  startWakeUps,
} from '@headrace/database'
import { testDatabase } from '@headrace/database/testing'
import { inboxMigrations, startMembership } from '@headrace/inbox'
import { keyvalueMigrations, notifyPubSub, tableKeyValue } from '@headrace/keyvalue'
import { logMigrations, openLog } from '@headrace/log'
import { type FaultPoints, noFaults, type OnBackgroundError } from '@headrace/runtime'
import { postgresTransport } from '@headrace/transport'
import { station } from '../start.ts'
import type { Station } from '../station.ts'

export interface TestStationOptions {
  /** The module's own migrations, and those of packages that it uses beyond the kernel's. */
  readonly migrations?: readonly MigrationSource[]
  /** Another replica on the same database, by its address; a database of its own unless given. */
  readonly url?: string
  readonly faults?: FaultPoints
  /** Told of what fails in the background and is tried again; throws it away unless given. */
  readonly onError?: OnBackgroundError
}

/** A station on a test database, carried by the database itself. Disposing stops it and drops a database of its own. */
export interface TestStation extends Station, AsyncDisposable {
  readonly url: string
}

/** Starts a station for tests; two with the same `url` are two replicas. */
export async function testStation(options: TestStationOptions = {}): Promise<TestStation> {
  await using stack = new AsyncDisposableStack()
  const url = options.url ?? stack.use(await testDatabase({ name: 'station' })).url
  const onError = options.onError ?? (() => {})
  const faults = options.faults ?? noFaults
  const connection = { url, maxConnections: 6, onError: () => {} }
  const database = stack.use(openDatabase(connection))
  await requireSupportedServer(database)
  await migrate(database, [...kernel, ...(options.migrations ?? [])])
  const wakeUps = stack.use(startWakeUps(connection))
  const log = stack.use(await openLog({ database, wakeUps, onError, faults }))
  const membership = stack.use(startMembership({ database, wakeUps, onError }))
  const carrier = stack.use(postgresTransport(log))
  const keyvalue = tableKeyValue(database)
  const pubsub = notifyPubSub(wakeUps, { onError: () => {} })
  const carriers = () => [carrier]
  const made = station({ database, wakeUps, log, membership, keyvalue, pubsub, carriers, faults, onError })
  const parts = stack.move()
  return { ...made, url, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

const kernel: readonly MigrationSource[] = [databaseMigrations, logMigrations, inboxMigrations, keyvalueMigrations]
