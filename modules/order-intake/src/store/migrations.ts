import type { MigrationSource } from '@headrace/database'

/** The api's tables. */
export const orderIntakeApiMigrations: MigrationSource = {
  name: 'order-intake-api',
  schema: 'order_intake_api',
  directory: new URL('../../migrations/api/', import.meta.url),
}

/** The worker's tables; in a database of its own, or beside the api's. */
export const orderIntakeWorkerMigrations: MigrationSource = {
  name: 'order-intake-worker',
  schema: 'order_intake_worker',
  directory: new URL('../../migrations/worker/', import.meta.url),
}
