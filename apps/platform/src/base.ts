import { type Database, startWakeUps, type WakeUps } from '@headrace/database'
import { type Membership, startMembership } from '@headrace/inbox'
import { type KeyValue, notifyPubSub, type PubSub, tableKeyValue } from '@headrace/keyvalue'
import { type Log, openLog } from '@headrace/log'
import { PlatformError, type Running } from '@headrace/runtime'
import { startHousekeeping } from './housekeeping.ts'
import { watchLog } from './log-replaced.ts'
import { sourcesAt } from './migrations.ts'
import type { ProcessNeeds } from './start.ts'
import type { Place } from './stations.ts'
import { openStorage, prepareSchema, type Storage } from './storage.ts'

/** One database, and what stands on it whoever uses it. */
export interface Base extends Running {
  readonly place: Place
  readonly database: Database
  readonly wakeUps: WakeUps
  readonly log: Log
  readonly membership: Membership
  readonly keyvalue: KeyValue
  readonly pubsub: PubSub
  /** Resolves when the embedded server has ended without being asked to, or the database is another copy now. */
  readonly failed: Promise<PlatformError>
}

/** Opens a database, brings its schema up to date, and starts what stands on it. */
export async function openBase(place: Place, needs: ProcessNeeds): Promise<Base> {
  await using stack = new AsyncDisposableStack()
  const { settings, logger, faults, onError } = needs
  const storage = stack.use(await openStorage({ ...settings, DATABASE_URL: place.url }, logger))
  const { database } = storage
  await prepareSchema(database, sourcesAt(place, settings), {
    mayMigrate: needs.mayMigrate,
    logger,
  })
  const wakeUps = stack.use(startWakeUps(storage.connection))
  const limits = { retentionMs: settings.LOG_RETENTION_MS, messageLimitBytes: settings.MESSAGE_LIMIT_BYTES }
  const log = stack.use(await openLog({ database, wakeUps, onError, faults }, limits))
  const watch = stack.use(watchLog(log, database, wakeUps))
  const membership = stack.use(startMembership({ database, wakeUps, onError }))
  stack.use(startHousekeeping(database, onError))
  const keyvalue = tableKeyValue(database)
  const pubsub = notifyPubSub(wakeUps, { onError: (error) => onError(error, 'hint') })
  const parts = stack.move()
  const stop = () => parts.disposeAsync()
  const failed = Promise.race([failureOf(storage), watch.replaced])
  return { place, database, wakeUps, log, membership, keyvalue, pubsub, failed, stop, [Symbol.asyncDispose]: stop }
}

async function failureOf({ exited }: Storage): Promise<PlatformError> {
  const { expected, code, signal } = await exited
  if (expected) return new Promise(() => {})
  return new PlatformError('DATABASE_UNAVAILABLE', `the embedded database ended (${signal ?? `code ${code}`})`)
}
