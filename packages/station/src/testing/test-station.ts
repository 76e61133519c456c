import {
  type Database,
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
  /**
   * The module's own schema: statements then run under a role that reaches nothing but it and the packages' tables, so
   * that SQL over another module's tables fails. Everything is reached unless given.
   */
  readonly schema?: string
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
  const role = await prepare(url, options)
  const connection = { url, maxConnections: 6, onError: () => {}, ...(role !== undefined && { role }) }
  const database = stack.use(openDatabase(connection))
  const wakeUps = stack.use(startWakeUps(connection))
  const log = stack.use(await openLog({ database, wakeUps, onError, faults }))
  const membership = stack.use(startMembership({ database, wakeUps, onError }))
  const carrier = stack.use(postgresTransport(log))
  const keyvalue = tableKeyValue(database)
  const pubsub = notifyPubSub(wakeUps, { onError: () => {} })
  const carriers = () => [carrier]
  const basis = { database, wakeUps, log, membership, keyvalue, pubsub, own: carrier }
  const made = station({ ...basis, carriers, faults, onError })
  const parts = stack.move()
  return { ...made, url, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

/** Brings the schema up to date as the owner of everything, and makes the restricted role. */
async function prepare(url: string, options: TestStationOptions): Promise<string | undefined> {
  await using owner = openDatabase({ url, maxConnections: 2 })
  await requireSupportedServer(owner)
  await migrate(owner, [...kernel, ...(options.migrations ?? [])])
  if (options.schema === undefined) return undefined
  await using wakeUps = startWakeUps({ url })
  // Makes the log's children, which the role may not.
  await using _log = await openLog({ database: owner, wakeUps, onError: () => {} })
  return restrictedRole(owner, new URL(url).pathname.slice(1), options.schema)
}

/** One role a database; replicas share it. It stays behind, with rights to nothing, when the database is dropped. */
async function restrictedRole(owner: Database, databaseName: string, schema: string): Promise<string> {
  const role = `only_${databaseName}`
  const grants = ['headrace', schema].map(
    (name) => `
      grant usage on schema ${name} to ${role};
      grant all on all tables in schema ${name} to ${role};
      grant all on all sequences in schema ${name} to ${role};
      grant execute on all functions in schema ${name} to ${role};`,
  )
  await owner.query({
    text: `do $do$ begin
             if not exists (select from pg_roles where rolname = '${role}') then create role ${role}; end if;
           end $do$; ${grants.join('')}`,
  })
  return role
}

const kernel: readonly MigrationSource[] = [databaseMigrations, logMigrations, inboxMigrations, keyvalueMigrations]
