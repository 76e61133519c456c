import { existsSync } from 'node:fs'

/** A PostgreSQL server for one run of the tests. */
export interface TestServer {
  /** Address with the rights to create databases. */
  readonly url: string
  stop(): Promise<void>
}

/** Brokers and stores that the files of a run share; each file gets their addresses as HEADRACE_TEST_<NAME>. */
export const serviceNames = ['kafka', 'nats', 'redis'] as const
export type ServiceName = (typeof serviceNames)[number]

/** Where Debian's package postgresql-15 puts its programs. */
const debian15 = '/usr/lib/postgresql/15/bin/postgres'

/** Starts the server that the run's tests share. The database package is loaded late: unit tests run without it. */
export async function startServer(version: 'embedded' | 15): Promise<TestServer> {
  const { startTestServer } = await import('@headrace/database/testing')
  return startTestServer({ version })
}

/** Starts a service that the run's tests share, unless its address is in the environment. */
export async function startService(name: ServiceName): Promise<TestServer> {
  const given = process.env[`HEADRACE_TEST_${name.toUpperCase()}`]
  if (given) return { url: given, stop: async () => undefined }
  const { startKafka, startNats, startRedis } = await import('../services/testing.ts')
  const service = await { kafka: startKafka, nats: startNats, redis: startRedis }[name]()
  return { url: service.address, stop: async () => service[Symbol.asyncDispose]() }
}

/** Why PostgreSQL 15 cannot be used here, or undefined where it can. */
export function whyNoPostgres15(): string | undefined {
  return existsSync(debian15)
    ? undefined
    : `PostgreSQL 15 is not installed (no ${debian15}; Debian: apt-get install postgresql-15)`
}
