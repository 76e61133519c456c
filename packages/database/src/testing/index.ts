export { migrateUpTo } from './migrate-up-to.ts'
export { type TestDatabase, type TestDatabaseOptions, testDatabase } from './test-database.ts'
export {
  type RestartableServer,
  startTestServer,
  type TestServer,
  type TestServerOptions,
  testServer,
} from './test-server.ts'
export { untilTrue } from './until-true.ts'
export { recorded, wholeReads } from './whole-reads.ts'
