import type { MigrationSource } from '@headrace/database'

/** This package's tables. Applied after the inbox's. */
export const relayMigrations: MigrationSource = {
  name: 'relay',
  schema: 'headrace',
  directory: new URL('../migrations/', import.meta.url),
}
