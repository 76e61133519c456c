import { resolve } from 'node:path'
import {
  type Database,
  type DatabaseOptions,
  type EmbeddedServer,
  type MigrationSource,
  migrate,
  openDatabase,
  pendingMigrations,
  requireSupportedServer,
  type ServerExit,
  startEmbeddedServer,
} from '@headrace/database'
import { backoffMs, hasCode, type Logger, PlatformError, type Running, sleep } from '@headrace/runtime'
import type { PlatformSettings } from './settings.ts'

/** The database of a process: the embedded one, which it owns, or a server. */
export interface Storage extends Running {
  readonly kind: 'embedded' | 'server'
  readonly database: Database
  /** For further connections to the same database. */
  readonly connection: DatabaseOptions
  /** Resolves when the embedded server has ended; never for a server elsewhere. */
  readonly exited: Promise<ServerExit>
}

export type StorageSettings = Pick<PlatformSettings, 'DATABASE_URL' | 'DATABASE_POOL_MAX' | 'HEADRACE_DATA'>

/** Longest time to wait for a server that is away at the start, in ms. */
const awayMs = 30_000

/**
 * Opens the database, starting the embedded one unless `DATABASE_URL` is set. Waits a while for a server that is away.
 * Rejects with what `startEmbeddedServer` says, `DATABASE_VERSION` and `DATABASE_UNAVAILABLE`.
 */
export async function openStorage(settings: StorageSettings, logger: Logger): Promise<Storage> {
  const url = settings.DATABASE_URL
  const server =
    url === undefined ? await startEmbeddedServer({ dataDirectory: resolve(settings.HEADRACE_DATA) }) : undefined
  const connection: DatabaseOptions = {
    url: server?.url ?? url ?? '',
    maxConnections: settings.DATABASE_POOL_MAX ?? (server === undefined ? 6 : 12),
    onError: (error) => logger.warn('a database connection broke', { error }),
  }
  const database = openDatabase(connection)
  const stop = async () => {
    await database.stop()
    await server?.stop()
  }
  try {
    await whenAnswering(database, logger)
  } catch (error) {
    await stop()
    throw error
  }
  const kind = server === undefined ? 'server' : 'embedded'
  return { kind, database, connection, exited: exitOf(server), stop, [Symbol.asyncDispose]: stop }
}

function exitOf(server: EmbeddedServer | undefined): Promise<ServerExit> {
  return server?.exited ?? Promise.withResolvers<ServerExit>().promise
}

async function whenAnswering(database: Database, logger: Logger): Promise<void> {
  const giveUpAt = performance.now() + awayMs
  for (let attempt = 1; ; attempt += 1) {
    try {
      await requireSupportedServer(database)
      return
    } catch (error) {
      if (!hasCode(error, 'DATABASE_UNAVAILABLE') || performance.now() > giveUpAt) throw error
      if (attempt === 1) logger.warn('waiting for the database', { error })
      await sleep(backoffMs(attempt, { baseMs: 250, maxMs: 2_000 }))
    }
  }
}

export interface SchemaOptions {
  /** False refuses an older schema instead of bringing it up to date. */
  readonly mayMigrate: boolean
  readonly logger: Logger
}

/** Brings the schema up to date, or refuses an older one with `SCHEMA_OUTDATED`. */
export async function prepareSchema(
  database: Database,
  sources: readonly MigrationSource[],
  { mayMigrate, logger }: SchemaOptions,
): Promise<void> {
  if (mayMigrate) {
    const applied = await migrate(database, sources)
    if (applied.length > 0) logger.info('the schema was brought up to date', { migrations: applied.length })
    return
  }
  const missing = (await pendingMigrations(database, sources)).map(({ source, file }) => `${source}/${file}`)
  if (missing.length === 0) return
  throw new PlatformError('SCHEMA_OUTDATED', `the schema lacks ${missing.join(', ')}`, { details: { missing } })
}
