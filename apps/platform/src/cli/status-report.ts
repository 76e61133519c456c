import { type Environment, messageOf } from '@headrace/runtime'
import { CommandFailure, UsageError } from './exit-codes.ts'
import { occupantOf, type RunningProcess } from './running-file.ts'
import { allSettings, storageSettings } from './settings.ts'

/** Longest time in ms that a process may take to answer. */
const answerMs = 5_000

export interface StatusReport {
  /** Undefined when it was not found through its data directory: it runs elsewhere. */
  readonly process: RunningProcess | undefined
  /** Each address that is known, and what `GET /ready` says there. */
  readonly addresses: readonly ReadyAddress[]
  /** What the gateway says; undefined where none is known. */
  readonly status: GatewayStatus | undefined
}

export interface ReadyAddress {
  readonly name: string
  readonly url: string
  /** `ready`, or what is wrong. */
  readonly ready: string
}

/** The answer of `GET /api/v1/status`. */
export interface GatewayStatus {
  readonly ingest: Part<{ readonly TotalReceived: number; readonly TotalSent: number; readonly TotalFailed: number }>
  readonly processor: Part<{
    readonly queue: { readonly size: number; readonly capacity: number }
    readonly pool: { readonly processed: number; readonly errors: number; readonly workers: number }
  }>
}

interface Part<Stats> {
  readonly healthy: boolean
  readonly stats: Stats | null
  readonly error?: string
}

/** Asks the process that runs: the one at the address, else the one that these settings lead to. */
export async function statusReport(env: Environment, url: string | undefined): Promise<StatusReport> {
  if (url !== undefined) return ask(undefined, [{ name: 'gateway', url: gatewayAddress(url) }])
  if (storageSettings(env).DATABASE_URL !== undefined) return ask(undefined, [localGateway(env)])
  const { HEADRACE_DATA } = storageSettings(env)
  const occupant = await occupantOf(HEADRACE_DATA)
  if (occupant === undefined)
    throw new CommandFailure(`nothing runs on ${HEADRACE_DATA}: start it with \`headrace run\``)
  if (occupant.process !== undefined) return ask(occupant.process, occupant.process.addresses)
  throw new CommandFailure(
    `process ${occupant.server.ownerPid} holds ${HEADRACE_DATA}: it is starting, or a command that will soon be over`,
  )
}

/** Tells whether everything that was asked is ready and healthy. */
export function isHealthy({ addresses, status }: StatusReport): boolean {
  const parts = status === undefined ? [] : [status.ingest, status.processor]
  return addresses.every(({ ready }) => ready === 'ready') && parts.every(({ healthy }) => healthy)
}

async function ask(
  process: RunningProcess | undefined,
  found: readonly { name: string; url: string }[],
): Promise<StatusReport> {
  const addresses = await Promise.all(found.map(async ({ name, url }) => ({ name, url, ready: await readiness(url) })))
  const gateway = found.find(({ name }) => name === 'gateway')
  return { process, addresses, status: gateway && (await gatewayStatus(gateway.url)) }
}

async function readiness(url: string): Promise<string> {
  const answer = await fetched(new URL('/ready', url))
  if (typeof answer === 'string') return answer
  // The shape of `GET /ready`: `status` and one text for each thing that was asked.
  const { status, ...things } = answer as Readonly<Record<string, unknown>>
  const wrong = Object.entries(things).filter(([, state]) => state !== 'ok')
  return status === 'ready' ? 'ready' : wrong.map(([name, state]) => `${name}: ${state}`).join(', ')
}

async function gatewayStatus(url: string): Promise<GatewayStatus | undefined> {
  const answer = await fetched(new URL('/api/v1/status', url))
  return typeof answer === 'object' && answer !== null && 'ingest' in answer && 'processor' in answer
    ? (answer as GatewayStatus) // The gateway’s contract.
    : undefined
}

/** The JSON of an answer, whatever its status; a text says why there is none. */
async function fetched(url: URL): Promise<unknown> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(answerMs) })
    return await answer.json()
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    return `no answer (${messageOf(cause) || 'connection refused'})`
  }
}

function gatewayAddress(url: string): string {
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return url
  throw new UsageError(`--url is '${url}': expected an address as http://127.0.0.1:8080`)
}

function localGateway(env: Environment): { name: string; url: string } {
  const { API_PORT } = allSettings(env)
  if (API_PORT === 0) throw new UsageError('API_PORT is 0, any free one: say with --url where the gateway is')
  return { name: 'gateway', url: `http://127.0.0.1:${API_PORT}` }
}
