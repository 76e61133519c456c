import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { accessTokens, hmacKeys } from '@headrace/tokens'
import { freePorts, startHeadrace } from '../../tests/support/headrace.ts'

/** The calculator with its accounts in one process on its embedded database, and workers in processes of their own. */
export interface Product extends AsyncDisposable {
  readonly url: string
}

export interface ProductOptions {
  /** Time of every operation, in ms. */
  readonly operationMs: number
  /** Operations at a time of each worker process. */
  readonly workers: readonly number[]
}

const secret = 'a secret of the benchmark, which is long enough'

const tokens = accessTokens({
  keys: hmacKeys({ variable: 'JWT_SECRET', value: secret }),
  issuer: 'headrace',
  audience: 'headrace',
  ttlS: 3600,
  newId: () => crypto.randomUUID(),
  now: Date.now,
})

/** The token of a user who has never registered: what is measured is the calculator. */
export function tokenOf(user: number): string {
  return tokens.issue({ id: user, uid: `00000000-0000-7000-8000-${String(user).padStart(12, '0')}` })
}

export async function startProduct({ operationMs, workers }: ProductOptions): Promise<Product> {
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(process.cwd(), '.bench-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const [port = 0, internal = 0, ...ports] = await freePorts(2 + workers.length)
  const time = String(operationMs)
  const url = `http://127.0.0.1:${port}`
  const environment = {
    CALCULATOR_PORT: String(port),
    INTERNAL_PORT: String(internal),
    PORT: '0',
    HEADRACE_DATA: directory,
    JWT_SECRET: secret,
    TIME_ADDITION_MS: time,
    TIME_SUBTRACTION_MS: time,
    TIME_MULTIPLICATIONS_MS: time,
    TIME_DIVISIONS_MS: time,
  }
  stack.use(await startHeadrace({ environment, args: ['--only', 'auth,calculator:api,calculator:orchestrator'], url }))
  for (const [index, power] of workers.entries()) {
    const own = String(ports[index])
    const settings = {
      ORCHESTRATOR_URL: `http://127.0.0.1:${internal}`,
      INTERNAL_PORT: own,
      COMPUTING_POWER: String(power),
    }
    const options = { environment: settings, args: ['--only', 'calculator:worker'], url: `http://127.0.0.1:${own}` }
    stack.use(await startHeadrace(options))
  }
  const parts = stack.move()
  return { url, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}
