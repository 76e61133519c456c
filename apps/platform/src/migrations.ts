import { databaseMigrations, type MigrationSource } from '@headrace/database'
import { httpKitMigrations } from '@headrace/http-kit'
import { inboxMigrations } from '@headrace/inbox'
import { keyvalueMigrations } from '@headrace/keyvalue'
import { logMigrations } from '@headrace/log'
import { pipelineMigrations } from '@headrace/pipeline/module'

/** Every migration, in the order in which they are applied. */
export const migrationSources: readonly MigrationSource[] = [
  databaseMigrations,
  logMigrations,
  inboxMigrations,
  keyvalueMigrations,
  httpKitMigrations,
  pipelineMigrations,
]
