import { type Database, type MigrationSource, pendingMigrations } from '@headrace/database'
import { type Environment, PlatformError, readSettings } from '@headrace/runtime'
import type { Command } from 'commander'
import { sourcesAt } from '../migrations.ts'
import { type PlatformSettings, platformSettings } from '../settings.ts'
import { type DatabaseSettings, databaseUrlOf, type Place, placesOf, stationNames } from '../stations.ts'
import { type LoadedEnvironment, loadEnvironment } from './environment.ts'
import { UsageError } from './exit-codes.ts'
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
export function storageSettings(env: Environment): DatabaseSettings & Pick<PlatformSettings, 'HEADRACE_DATA'> {
  const { DATABASE_URL, HEADRACE_DATA, ...others } = platformSettings
  const { ORDERS_DATABASE_URL, PAYMENTS_DATABASE_URL, API_POSTGRES_DSN, WORKER_POSTGRES_DSN } = others
  const owned = { ORDERS_DATABASE_URL, PAYMENTS_DATABASE_URL, API_POSTGRES_DSN, WORKER_POSTGRES_DSN }
  return readSettings({ DATABASE_URL, HEADRACE_DATA, ...owned }, env)
}

/** Where a command finds the database that `--database` names; the platform's own unless given. */
export function storageNeeds(terminal: Terminal, command: Command): StorageNeeds {
  const settings = storageSettings(environmentOf(terminal, command).env)
  const { database } = command.optsWithGlobals<{ readonly database?: string }>()
  return needsOf(placeNamed(database, settings), settings, terminal)
}

/** Every database of these settings, the platform's own first. */
export function allStorageNeeds(terminal: Terminal, command: Command): readonly PlaceNeeds[] {
  const settings = storageSettings(environmentOf(terminal, command).env)
  return placesOf(new Set(stationNames), settings).map((place) => ({
    place,
    needs: needsOf(place, settings, terminal),
    sources: sourcesAt(place, settings),
  }))
}

export interface PlaceNeeds {
  readonly place: Place
  readonly needs: StorageNeeds
  /** What belongs into that database. */
  readonly sources: readonly MigrationSource[]
}

function needsOf({ url }: Place, settings: Pick<PlatformSettings, 'HEADRACE_DATA'>, terminal: Terminal): StorageNeeds {
  return { databaseUrl: url, dataDirectory: settings.HEADRACE_DATA, note: (line) => terminal.err(line) }
}

function placeNamed(name: string | undefined, settings: DatabaseSettings): Place {
  if (name === undefined) return { url: settings.DATABASE_URL, stations: stationNames }
  const station = stationNames.find((candidate) => candidate === name)
  if (station === undefined) {
    throw new UsageError(`there is no database '${name}': expected one of ${stationNames.join(', ')}`)
  }
  const url = databaseUrlOf(station, settings)
  const places = placesOf(new Set(stationNames), settings)
  return places.find((place) => place.url === url) ?? { url, stations: [station] }
}

/** Runs `work` on a database whose schema is this program's. Throws `SCHEMA_OUTDATED` otherwise. */
export function withCurrentDatabase<T>(
  terminal: Terminal,
  command: Command,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const settings = storageSettings(environmentOf(terminal, command).env)
  const { database: name } = command.optsWithGlobals<{ readonly database?: string }>()
  const sources = sourcesAt(placeNamed(name, settings), settings)
  return withDatabase(storageNeeds(terminal, command), async (database) => {
    const pending = await pendingMigrations(database, sources)
    if (pending.length > 0) throw outdated(pending.map(({ source, file }) => `${source}/${file}`))
    return work(database)
  })
}

function outdated(missing: readonly string[]): PlatformError {
  return new PlatformError('SCHEMA_OUTDATED', `the schema lacks ${missing.join(', ')}`, { details: { missing } })
}
