import type { MigrationSource } from '@headrace/database'

/** This module's tables. */
export const paymentsMigrations: MigrationSource = {
  name: 'payments',
  schema: 'payments',
  directory: new URL('../../migrations/', import.meta.url),
}
