import type { MigrationSource } from '@headrace/database'

/** This module's tables. */
export const ordersMigrations: MigrationSource = {
  name: 'orders',
  schema: 'orders',
  directory: new URL('../../migrations/', import.meta.url),
}
