import { authMigrations } from '@headrace/auth/module'
import { calculatorMigrations } from '@headrace/calculator/module'
import { databaseMigrations, type MigrationSource } from '@headrace/database'
import { httpKitMigrations } from '@headrace/http-kit'
import { inboxMigrations } from '@headrace/inbox'
import { keyvalueMigrations } from '@headrace/keyvalue'
import { liveMigrations } from '@headrace/live'
import { logMigrations } from '@headrace/log'
import { orderIntakeApiMigrations, orderIntakeWorkerMigrations } from '@headrace/order-intake/module'
import { orderLookupMigrations } from '@headrace/order-lookup/module'
import { ordersMigrations } from '@headrace/orders/module'
import { paymentsMigrations } from '@headrace/payments/module'
import { pipelineMigrations } from '@headrace/pipeline/module'
import { relayMigrations } from '@headrace/relay'
import type { DatabaseSettings, Place, StationName } from './stations.ts'

/** What every database has. */
const packageSources: readonly MigrationSource[] = [
  databaseMigrations,
  logMigrations,
  inboxMigrations,
  relayMigrations,
  keyvalueMigrations,
  httpKitMigrations,
  liveMigrations,
]

/** What the modules' tables are in, by where they stand. */
const moduleSources: readonly (readonly [StationName, MigrationSource])[] = [
  ['pipeline', pipelineMigrations],
  ['orders', ordersMigrations],
  ['payments', paymentsMigrations],
  ['orderLookup', orderLookupMigrations],
  ['orderIntakeApi', orderIntakeApiMigrations],
  ['orderIntakeWorker', orderIntakeWorkerMigrations],
  ['auth', authMigrations],
  ['calculator', calculatorMigrations],
]

/** Every migration, in the order in which they are applied: what the platform's own database has. */
export const migrationSources: readonly MigrationSource[] = sourcesOf(undefined)

/** The migrations of a database: all in the platform's own, elsewhere those of the stations on it. */
export function sourcesAt({ url, stations }: Place, settings: DatabaseSettings): readonly MigrationSource[] {
  return sourcesOf(url === settings.DATABASE_URL ? undefined : stations)
}

function sourcesOf(stations: readonly StationName[] | undefined): readonly MigrationSource[] {
  const wanted = moduleSources.filter(([name]) => stations === undefined || stations.includes(name))
  return [...packageSources, ...new Set(wanted.map(([, source]) => source))]
}
