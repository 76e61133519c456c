import type { Database } from '@headrace/database'
import { pendingMigrations } from '@headrace/database'
import { type Environment, PlatformError, readSettings } from '@headrace/runtime'
import type { Command } from 'commander'
import { migrationSources } from '../migrations.ts'
import { type PlatformSettings, platformSettings } from '../settings.ts'
import { type LoadedEnvironment, loadEnvironment } from './environment.ts'
import { type StorageNeeds, withDatabase } from './storage.ts'
import type { Terminal } from './terminal.ts'

/** The environment of a command, with the file that its flags or variables name. */
export function environmentOf(terminal: Terminal, command: Command): LoadedEnvironment {
  const { envFile } = command.optsWithGlobals<{ readonly envFile?: string }>()
  return loadEnvironment(terminal.env, envFile)
}

/** Every setting. Throws `INVALID_SETTING` that lists all that is malformed. */
export function allSettings(env: Environment): PlatformSettings {
  return readSettings(platformSettings, env)
}

/** What says where the data is; other settings may be malformed. */
export function storageSettings(env: Environment) {
  const { DATABASE_URL, HEADRACE_DATA } = platformSettings
  return readSettings({ DATABASE_URL, HEADRACE_DATA }, env)
}

/** Where a command finds the database. */
export function storageNeeds(terminal: Terminal, command: Command): StorageNeeds {
  const { DATABASE_URL, HEADRACE_DATA } = storageSettings(environmentOf(terminal, command).env)
  return { databaseUrl: DATABASE_URL, dataDirectory: HEADRACE_DATA, note: (line) => terminal.err(line) }
}

/** Runs `work` on a database whose schema is this program's. Throws `SCHEMA_OUTDATED` otherwise. */
export function withCurrentDatabase<T>(
  terminal: Terminal,
  command: Command,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  return withDatabase(storageNeeds(terminal, command), async (database) => {
    const pending = await pendingMigrations(database, migrationSources)
    if (pending.length > 0) throw outdated(pending.map(({ source, file }) => `${source}/${file}`))
    return work(database)
  })
}

function outdated(missing: readonly string[]): PlatformError {
  return new PlatformError('SCHEMA_OUTDATED', `the schema lacks ${missing.join(', ')}`, { details: { missing } })
}
