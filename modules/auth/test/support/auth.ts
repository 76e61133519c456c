import { randomUUID } from 'node:crypto'
import { createHttpServer, type HttpServer } from '@headrace/http-kit'
import type { KeyValue } from '@headrace/keyvalue'
import { type Environment, type Logger, nullLogger, readSettings } from '@headrace/runtime'
import { type TestStation, testStation } from '@headrace/station/testing'
import { type AccessTokens, accessTokens, hmacKeys, streamTickets, type TokenKeys } from '@headrace/tokens'
import { authSettings } from '../../src/contract.ts'
import { authMigrations, authModule } from '../../src/module.ts'

export interface AuthOptions {
  readonly env?: Environment
  /** Another replica on the same database. */
  readonly url?: string
  readonly keys?: TokenKeys
  readonly logger?: Logger
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  // Whatever was answered; each test looks at what it expects.
  readonly body: Readonly<Record<string, unknown>>
  readonly text: string
}

export interface Sending {
  readonly headers?: Readonly<Record<string, string>>
  readonly from?: string
}

/** The module on a test database, asked without a socket. */
export interface TestAuth extends AsyncDisposable {
  readonly station: TestStation
  readonly server: HttpServer
  readonly internal: HttpServer
  readonly tokens: AccessTokens
  /** What was written to the key-value store: values by key, the latest last. */
  readonly written: readonly (readonly [key: string, value: string])[]
  post(path: string, body: unknown, sending?: Sending): Promise<Answer>
  get(path: string, token?: string): Promise<Answer>
  introspect(form: string): Promise<Answer>
}

export const secret = 'a secret of the tests, long enough for HS256'
export const streamRoutes = ['/things/stream', '/other/stream']

/** Starts the module; two with the same `url` are two replicas. */
export async function testAuth(options: AuthOptions = {}): Promise<TestAuth> {
  await using stack = new AsyncDisposableStack()
  const url = options.url === undefined ? {} : { url: options.url }
  const written: (readonly [string, string])[] = []
  const started = stack.use(await testStation({ migrations: [authMigrations], ...url }))
  const station = { ...started, keyvalue: recording(started.keyvalue, written) }
  const settings = readSettings(authSettings, options.env ?? {})
  const keys = options.keys ?? hmacKeys({ variable: 'JWT_SECRET', value: secret })
  const tokens = accessTokens({
    keys,
    issuer: settings.JWT_ISSUER,
    audience: settings.JWT_AUDIENCE,
    ttlS: settings.ACCESS_TTL,
    newId: randomUUID,
    now: Date.now,
  })
  const tickets = streamTickets({ keyvalue: station.keyvalue, reuseS: settings.ACCESS_TTL })
  const byToken = (token: string) => {
    const claims = tokens.verify(token)
    return claims && { id: Number(claims.sub), uid: claims.uid }
  }
  const callers = { required: true, byToken, byTicket: tickets.redeem }
  const logger = options.logger ?? nullLogger
  const server = stack.use(await createHttpServer({ name: 'public', logger, callers }))
  const internal = stack.use(await createHttpServer({ name: 'internal', logger, callers }))
  for (const role of authModule().roles) {
    await role.start({
      settings,
      stations: { auth: station },
      surfaces: { public: server.app, calculator: undefined, internal: internal.app },
      accessTokens: tokens,
      streamTickets: tickets,
      streamRoutes,
      logger,
    })
  }
  addStreams(server)
  const owned = stack.move()
  return {
    station,
    server,
    internal,
    tokens,
    written,
    post: (path, body, sending) => post(server, path, body, sending),
    get: async (path, token) => answerOf(await server.app.inject({ url: path, headers: bearer(token) })),
    introspect: (form) =>
      post(internal, '/internal/introspect', form, {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function recording(keyvalue: KeyValue, written: (readonly [string, string])[]): KeyValue {
  return {
    ...keyvalue,
    set(key, value, ttl) {
      written.push([key, value])
      return keyvalue.set(key, value, ttl)
    },
    compareAndSet(key, expected, value, ttl) {
      written.push([key, value])
      return keyvalue.compareAndSet(key, expected, value, ttl)
    },
  }
}

/** Streams that say who listens. */
function addStreams({ app }: HttpServer): void {
  for (const path of streamRoutes) {
    app.get(path, { config: { access: 'person', stream: true } }, async (request) => request.person)
  }
  app.get('/things/:id', { config: { access: 'person' } }, async (request) => request.person)
}

async function post(server: HttpServer, path: string, body: unknown, sending: Sending = {}): Promise<Answer> {
  const payload = typeof body === 'string' ? body : JSON.stringify(body)
  const headers = { 'content-type': 'application/json', ...sending.headers }
  const remoteAddress = sending.from ?? '127.0.0.1'
  return answerOf(await server.app.inject({ method: 'POST', url: path, payload, headers, remoteAddress }))
}

function answerOf(response: { statusCode: number; headers: Readonly<Record<string, unknown>>; body: string }): Answer {
  const { statusCode: status, headers, body: text } = response
  return { status, headers, text, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) }
}

export function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` }
}

export const ann = { email: 'ann@example.com', password: 'correct horse battery' }
export const bob = { email: 'bob@example.com', password: 'staple of the stable' }

/** Registers and returns the token pair with the account. */
export async function registered(auth: TestAuth, credentials = ann) {
  const { status, body } = await auth.post('/api/v1/register', credentials)
  if (status !== 201) throw new Error(`registering was answered ${status} ${JSON.stringify(body)}`)
  return {
    id: Number(body['id']),
    access: String(body['access_token']),
    refresh: String(body['refresh_token']),
  }
}
