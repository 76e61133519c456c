import {
  type Database,
  databaseMigrations,
  migrate,
  openDatabase,
  startWakeUps,
  type WakeUps,
} from '@headrace/database'
import { testDatabase } from '@headrace/database/testing'
import { type Log, type LogOptions, logMigrations, type NewMessage, openLog } from '../../src/index.ts'

/** What a process of its own would have: a pool, a wake-up connection and a log. */
export interface LogProcess extends AsyncDisposable {
  readonly url: string
  readonly database: Database
  readonly wakeUps: WakeUps
  readonly log: Log
  /** Failures in the background. */
  readonly errors: unknown[]
}

export interface ProcessOptions extends LogOptions {
  readonly maxConnections?: number
}

/** Opens the log of a migrated database as another process would. */
export async function startProcess(url: string, options: ProcessOptions = {}): Promise<LogProcess> {
  const errors: unknown[] = []
  const database = openDatabase({ url, maxConnections: options.maxConnections ?? 4 })
  const wakeUps = startWakeUps({ url })
  const log = await openLog({ database, wakeUps, onError: (error) => errors.push(error) }, options)
  return {
    url,
    database,
    wakeUps,
    log,
    errors,
    async [Symbol.asyncDispose]() {
      await log.stop()
      await wakeUps.stop()
      await database.stop()
    },
  }
}

/** An empty database with the log's tables. */
export async function logDatabase(): Promise<{ readonly url: string } & AsyncDisposable> {
  const test = await testDatabase({ name: 'log' })
  await using database = openDatabase({ url: test.url, maxConnections: 1 })
  await migrate(database, [databaseMigrations, logMigrations])
  return test
}

/** A migrated database and one process on it. */
export async function startLog(options: ProcessOptions = {}): Promise<LogProcess> {
  const test = await logDatabase()
  const started = await startProcess(test.url, options)
  return {
    ...started,
    async [Symbol.asyncDispose]() {
      await started[Symbol.asyncDispose]()
      await test[Symbol.asyncDispose]()
    },
  }
}

/** A message with the defaults of a test. */
export function message(topic: string, id: string, rest: Partial<NewMessage> = {}): NewMessage {
  return { topic, id, key: id, type: 'noted', headers: {}, body: Buffer.from(id), ...rest }
}
