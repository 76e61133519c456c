import type { MigrationSource } from '@headrace/database'

/** This module's tables. */
export const orderLookupMigrations: MigrationSource = {
  name: 'order-lookup',
  schema: 'order_lookup',
  directory: new URL('../../migrations/', import.meta.url),
}
