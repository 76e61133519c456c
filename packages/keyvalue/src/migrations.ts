import type { MigrationSource } from '@headrace/database'

/** The table behind `tableKeyValue`. */
export const keyvalueMigrations: MigrationSource = {
  name: 'keyvalue',
  schema: 'headrace',
  directory: new URL('../migrations/', import.meta.url),
}
