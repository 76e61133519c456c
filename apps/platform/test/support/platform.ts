import { testDatabase } from '@headrace/database/testing'
import { type Environment, nullLogger } from '@headrace/runtime'
import { type Platform, startPlatform } from '../../src/platform.ts'

export interface TestPlatform extends AsyncDisposable {
  readonly platform: Platform
  readonly databaseUrl: string
  /** The address of a port by its name, such as `gateway`. */
  at(port: string): string
}

export interface TestPlatformOptions {
  readonly only?: string
  readonly env?: Environment
  readonly migrate?: boolean
}

const anyPorts = {
  API_PORT: '0',
  INGEST_PORT: '0',
  PROCESSOR_PORT: '0',
  CALCULATOR_PORT: '0',
  CONSOLE_PORT: '0',
  INTERNAL_PORT: '0',
  // Else one would be kept in the directory that the tests run in.
  JWT_SECRET: 'a secret for tests, longer than 32 bytes',
}

/** A process of the platform in this one, on free ports; over a database of its own unless one is given. */
export async function testPlatform(options: TestPlatformOptions = {}): Promise<TestPlatform> {
  await using stack = new AsyncDisposableStack()
  const given = options.env?.['DATABASE_URL']
  const url = given ?? stack.use(await testDatabase()).url
  const { only, migrate } = options
  const platform = stack.use(
    await startPlatform({
      env: { ...anyPorts, ...options.env, DATABASE_URL: url },
      logger: nullLogger,
      ...(only !== undefined && { only }),
      ...(migrate !== undefined && { migrate }),
    }),
  )
  const owned = stack.move()
  return {
    platform,
    databaseUrl: url,
    at(port) {
      const address = platform.addresses.find(({ name }) => name === port)
      if (address === undefined) throw new Error(`no port '${port}' is open`)
      return address.url
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // Whatever was answered; each test looks at what it expects.
  readonly body: Readonly<Record<string, unknown>>
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>
  return { status: response.status, headers: response.headers, body }
}

export async function get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return answerOf(await fetch(url, { headers }))
}

/** Sends JSON, or bytes and texts as they are. */
export async function post(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array
  const sent = isRaw ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body)
  return answerOf(
    await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: sent }),
  )
}
