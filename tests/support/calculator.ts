import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testDatabase } from '@headrace/database/testing'
import { freePorts, type Headrace, startHeadrace } from './headrace.ts'

/**
 * The calculator and accounts as they are deployed: all in one process, or apart over a database server. With a broker
 * only the workers are apart, and there is no gateway.
 */
export interface CalculatorTopology extends AsyncDisposable {
  /** The gateway. */
  readonly url: string
  /** The port of the older walkthrough. */
  readonly calculatorUrl: string
  readonly internalUrl: string
  /** Names of processes that can be killed and started again. */
  readonly processes: readonly string[]
  kill(process: string): Promise<void>
  start(process: string): Promise<void>
  /** Holds it still (SIGSTOP), and lets it go on (SIGCONT). */
  pause(process: string): void
  resume(process: string): void
  /** The process with this id, if it is one of ours. */
  named(pid: number): string | undefined
}

export type CalculatorTopologyName = 'one process' | 'processes of their own' | 'workers fed by a broker'

type Settings = Readonly<Record<string, string>>

interface Part {
  readonly args: readonly string[]
  readonly url: string
  readonly environment: Settings
}

/** Starts the calculator in a shape, with settings for all its processes. */
export async function startCalculatorTopology(
  name: CalculatorTopologyName,
  settings: Settings = {},
): Promise<CalculatorTopology> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnFreePorts(name, settings)
    } catch (error) {
      // A port that was free a moment ago, taken by a test beside this one.
      if (attempt === 3 || !String(error).includes('PORT_TAKEN')) throw error
    }
  }
}

async function startOnFreePorts(name: CalculatorTopologyName, settings: Settings): Promise<CalculatorTopology> {
  const ports = await freePorts(6)
  const [api = 0, calculator = 0, internal = 0, ...others] = ports
  const at = (port: number) => `http://127.0.0.1:${port}`
  const common = {
    ...settings,
    API_PORT: String(api),
    CALCULATOR_PORT: String(calculator),
    INGEST_PORT: '0',
    PROCESSOR_PORT: '0',
    CONSOLE_PORT: 'off',
    JWT_SECRET: 'a secret of the system tests, long enough',
  }
  const urls = { url: at(api), calculatorUrl: at(calculator), internalUrl: at(internal) }
  if (name === 'one process') {
    const directory = await mkdtemp(join(tmpdir(), 'headrace-system-'))
    const environment = { ...common, HEADRACE_DATA: directory, INTERNAL_PORT: String(internal) }
    return running(urls, { headrace: { args: [], url: urls.url, environment } }, async () =>
      rm(directory, { recursive: true, force: true }),
    )
  }
  const database = await testDatabase({ name: 'system' })
  const stored = { ...common, DATABASE_URL: database.url, PORT: '0' }
  const part = (only: string, url: string, more: Settings): Part => ({
    args: ['--only', only],
    url,
    environment: { ...stored, ...more },
  })
  // Without an address of a database: they need none.
  const worker = (port = 0): Part => ({
    args: ['--only', 'calculator:worker'],
    url: at(port),
    environment: { ...common, INTERNAL_PORT: String(port), ORCHESTRATOR_URL: urls.internalUrl, COMPUTING_POWER: '2' },
  })
  const remove = () => database[Symbol.asyncDispose]()
  if (name === 'workers fed by a broker') {
    const fed = { CALCULATOR_WORKERS: 'broker', COMPUTING_POWER: '1' }
    const worker = (port = 0) => part('calculator:worker', at(port), { ...fed, INTERNAL_PORT: String(port) })
    const parts = {
      calculator: part('auth,calculator:api,calculator:orchestrator', urls.calculatorUrl, {
        ...fed,
        INTERNAL_PORT: '0',
      }),
      'worker 1': worker(others[0]),
      'worker 2': worker(others[1]),
    }
    return running({ ...urls, url: urls.calculatorUrl }, parts, remove)
  }
  const parts = {
    orchestrator: part('calculator:orchestrator', urls.internalUrl, { INTERNAL_PORT: String(internal) }),
    api: part('auth,calculator:api', urls.calculatorUrl, { INTERNAL_PORT: '0' }),
    'worker 1': worker(others[0]),
    'worker 2': worker(others[1]),
    // With the pipeline, which the gateway asks for before it says that it is ready.
    gateway: part('gateway,pipeline', urls.url, {
      INTERNAL_PORT: '0',
      AUTH_URL: urls.calculatorUrl,
      CALCULATOR_URL: urls.calculatorUrl,
    }),
  }
  return running(urls, parts, remove)
}

type Urls = Pick<CalculatorTopology, 'url' | 'calculatorUrl' | 'internalUrl'>

async function running(
  urls: Urls,
  parts: Readonly<Record<string, Part>>,
  remove: () => PromiseLike<void>,
): Promise<CalculatorTopology> {
  const processes = new Map<string, Headrace>()
  const start = async (name: string) => {
    const part = parts[name]
    if (part === undefined) throw new RangeError(`no process '${name}'`)
    processes.set(name, await startHeadrace({ ...part }))
  }
  const paused = new Set<string>()
  const pause = (name: string) => {
    if (signal(processes.get(name), 'SIGSTOP')) paused.add(name)
  }
  const resume = (name: string) => {
    if (signal(processes.get(name), 'SIGCONT')) paused.delete(name)
  }
  const dispose = async () => {
    // One that is held still would not hear that it shall stop.
    for (const name of paused) resume(name)
    for (const each of [...processes.values()].toReversed()) await each.stop()
    await remove()
  }
  try {
    for (const name of Object.keys(parts)) await start(name)
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    ...urls,
    processes: Object.keys(parts),
    start,
    kill: async (name) => processes.get(name)?.kill(),
    pause,
    resume,
    named: (pid) => [...processes].find(([, headrace]) => headrace.pid === pid)?.[0],
    [Symbol.asyncDispose]: dispose,
  }
}

function signal(headrace: Headrace | undefined, name: NodeJS.Signals): boolean {
  return headrace !== undefined && process.kill(headrace.pid, name)
}
