import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { startTestServer } from './test-server.ts'

export interface TestDatabaseOptions {
  /** Part of the database's name, to recognise it by; default `test`. Letters, digits and `_`. */
  readonly name?: string
  /** Address of the server that it is made on. */
  readonly server?: string
}

/** An empty database of its own; disposing drops it. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string
}

/**
 * Makes an empty database on the given server, else on the one in `HEADRACE_TEST_DATABASE_URL`, which the test runner
 * sets, else on an embedded server that the first test of this process starts and that ends with the process.
 */
export async function testDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const server = options.server ?? process.env['HEADRACE_TEST_DATABASE_URL'] ?? (await sharedServer())
  const name = `${options.name ?? 'test'}_${randomBytes(6).toString('hex')}`
  if (!/^\w+$/.test(name))
    throw new RangeError(`name '${options.name}' has other characters than letters, digits and _`)
  await administer(server, `create database ${name} template template0`)
  const url = new URL(server)
  url.pathname = `/${name}`
  let dropped: Promise<void> | undefined
  const drop = () => (dropped ??= administer(server, `drop database ${name} with (force)`))
  return { url: url.href, [Symbol.asyncDispose]: drop }
}

let shared: Promise<string> | undefined

/** Has no owner but the process: whichever test comes first starts it, and no test knows that it is the last. */
function sharedServer(): Promise<string> {
  shared ??= startTestServer({ owner: 'process' }).then((server) => server.url)
  return shared
}

async function administer(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
