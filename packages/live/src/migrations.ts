import type { MigrationSource } from '@headrace/database'

/** The tables behind live streams. */
export const liveMigrations: MigrationSource = {
  name: 'live',
  schema: 'headrace',
  directory: new URL('../migrations/', import.meta.url),
}
