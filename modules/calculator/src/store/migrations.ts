import type { MigrationSource } from '@headrace/database'

/** This module's tables. */
export const calculatorMigrations: MigrationSource = {
  name: 'calculator',
  schema: 'calculator',
  directory: new URL('../../migrations/', import.meta.url),
}
