import { setTimeout as delay } from 'node:timers/promises'
import { untilTrue } from '@headrace/database/testing'
import { type Callers, createHttpServer, httpKitMigrations } from '@headrace/http-kit'
import { liveMigrations } from '@headrace/live'
import { createMetrics, nullLogger, readSettings, selectModules, startModules } from '@headrace/runtime'
import { type TestStation, testStation } from '@headrace/station/testing'
import { calculatorSettings, type ExpressionView } from '../../src/contract.ts'
import { type CalculatorContext, calculatorMigrations, calculatorModule } from '../../src/module.ts'

/** A token is the id of its user, as `u7`. */
const callers: Callers = {
  required: true,
  byToken(token) {
    const id = Number(/^u(\d+)$/.exec(token)?.[1] ?? 0)
    return id > 0 ? { id, uid: `00000000-0000-7000-8000-${String(id).padStart(12, '0')}` } : undefined
  },
}

export interface CalculatorOptions {
  /** The database of another replica; one of its own unless given. */
  readonly url?: string
  readonly env?: Readonly<Record<string, string>>
  /** Roles as `calculator:api,calculator:worker`; all unless given. */
  readonly only?: string
  readonly internalToken?: string
  /** Told of what fails in the background. */
  readonly onError?: (error: unknown, name: string) => void
  readonly internalPort?: number
}

export interface TestCalculator extends AsyncDisposable {
  readonly url: string
  readonly publicUrl: string
  readonly internalUrl: string
  readonly station: TestStation
  stop(): Promise<void>
}

/** A process of the calculator, as tests need it: its roles on a station, with both ports. */
export async function startCalculator(options: CalculatorOptions = {}): Promise<TestCalculator> {
  await using stack = new AsyncDisposableStack()
  const onError = options.onError ?? (() => {})
  const migrations = [liveMigrations, httpKitMigrations, calculatorMigrations]
  const station = stack.use(
    await testStation({
      migrations,
      schema: 'calculator',
      onError,
      ...(options.url !== undefined && { url: options.url }),
    }),
  )
  const { internalToken } = options
  const publicServer = await createHttpServer({ name: 'public', logger: nullLogger, callers })
  const internalServer = await createHttpServer({
    name: 'internal',
    logger: nullLogger,
    ...(internalToken && { internalToken }),
  })
  const context: CalculatorContext = {
    settings: readSettings(calculatorSettings, { COMPUTING_POWER: '2', ...options.env }),
    stations: { calculator: station },
    surfaces: { public: publicServer.app, calculator: undefined, internal: internalServer.app },
    probes: {},
    metrics: createMetrics(),
    logger: nullLogger,
    onError,
    ...(internalToken !== undefined && { internalToken }),
  }
  stack.use(await startModules(selectModules([calculatorModule()], options.only), context))
  stack.use(publicServer)
  stack.use(internalServer)
  const { url: publicUrl } = await publicServer.listen({ port: 0, variable: 'PORT' })
  const { url: internalUrl } = await internalServer.listen({
    port: options.internalPort ?? 0,
    variable: 'INTERNAL_PORT',
  })
  const parts = stack.move()
  const stop = () => parts.disposeAsync()
  return { url: station.url, publicUrl, internalUrl, station, stop, [Symbol.asyncDispose]: stop }
}

export interface Answered<T> {
  readonly status: number
  readonly body: T
  readonly headers: Headers
}

/** Asks as a user. */
export async function ask<T = Readonly<Record<string, unknown>>>(
  url: string,
  request: { method?: string; user?: number; body?: unknown; headers?: Readonly<Record<string, string>> } = {},
): Promise<Answered<T>> {
  const { user, body } = request
  const response = await fetch(url, {
    method: request.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(user !== undefined && { authorization: `Bearer u${user}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...request.headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as T, headers: response.headers }
}

export async function submit(
  { publicUrl }: Pick<TestCalculator, 'publicUrl'>,
  expression: string,
  user = 1,
): Promise<number> {
  const { status, body } = await ask<{ id: number }>(`${publicUrl}/api/v1/calculate`, { user, body: { expression } })
  if (status !== 200) throw new Error(`calculate answered ${status}: ${JSON.stringify(body)}`)
  return body.id
}

export async function expressionOf(
  { publicUrl }: Pick<TestCalculator, 'publicUrl'>,
  id: number,
  user = 1,
): Promise<ExpressionView> {
  const { body } = await ask<{ expression: ExpressionView }>(`${publicUrl}/api/v1/expressions/${id}`, { user })
  return body.expression
}

/** Waits until the expression has ended. */
export async function ended(
  calculator: Pick<TestCalculator, 'publicUrl'>,
  id: number,
  user = 1,
  deadlineMs = 60_000,
): Promise<ExpressionView> {
  let seen: ExpressionView | undefined
  await untilTrue(
    `expression ${id} has ended`,
    async () => {
      seen = await expressionOf(calculator, id, user)
      if (seen.status === 'done' || seen.status === 'failed') return true
      await delay(10)
      return false
    },
    deadlineMs,
  )
  if (seen === undefined) throw new TypeError('waited for')
  return seen
}
