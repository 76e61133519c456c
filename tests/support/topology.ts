import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runningEmbeddedServer } from '@headrace/database'
import { testDatabase } from '@headrace/database/testing'
import { freePorts, type Headrace, startHeadrace } from './headrace.ts'

/** The pipeline as it is deployed: all in one process, or each role in its own over a database server. */
export interface Topology extends AsyncDisposable {
  /** Where clients send. */
  readonly url: string
  readonly ingestUrl: string
  readonly processorUrl: string
  /** The roles, each the name of a process that can be killed and started again. */
  readonly processes: readonly string[]
  databaseUrl(): Promise<string>
  kill(process: string): Promise<void>
  start(process: string): Promise<void>
}

export type TopologyName = 'one process' | 'three processes'

interface Part {
  readonly args: readonly string[]
  readonly url: string
  readonly environment: Readonly<Record<string, string>>
}

/** Starts the pipeline in a shape, with settings for all its processes. */
export async function startTopology(
  name: TopologyName,
  settings: Readonly<Record<string, string>> = {},
): Promise<Topology> {
  const [api = 0, ingest = 0, processor = 0] = await freePorts(3)
  const urls = {
    url: `http://127.0.0.1:${api}`,
    ingestUrl: `http://127.0.0.1:${ingest}`,
    processorUrl: `http://127.0.0.1:${processor}`,
  }
  const ports = {
    API_PORT: String(api),
    INGEST_PORT: String(ingest),
    PROCESSOR_PORT: String(processor),
    CALCULATOR_PORT: '0',
    CONSOLE_PORT: '0',
    INTERNAL_PORT: '0',
  }
  const shared = { ...settings, ...ports, INGEST_URL: urls.ingestUrl, PROCESSOR_URL: urls.processorUrl }
  return name === 'one process' ? inOne(urls, shared) : apart(urls, shared)
}

type Urls = Pick<Topology, 'url' | 'ingestUrl' | 'processorUrl'>

async function inOne(urls: Urls, environment: Readonly<Record<string, string>>): Promise<Topology> {
  const directory = await mkdtemp(join(tmpdir(), 'headrace-system-'))
  const parts = { headrace: { args: [], url: urls.url, environment: { ...environment, HEADRACE_DATA: directory } } }
  return running(urls, parts, {
    async databaseUrl() {
      const server = await runningEmbeddedServer(directory)
      if (server === undefined) throw new Error('the embedded server does not run')
      return server.url
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  })
}

async function apart(urls: Urls, environment: Readonly<Record<string, string>>): Promise<Topology> {
  const database = await testDatabase({ name: 'system' })
  const all = { ...environment, DATABASE_URL: database.url, PORT: '0' }
  const part = (only: string, url: string): Part => ({ args: ['--only', only], url, environment: all })
  const parts = {
    processor: part('pipeline:processor', urls.processorUrl),
    ingest: part('pipeline:ingest', urls.ingestUrl),
    gateway: part('gateway', urls.url),
  }
  return running(urls, parts, {
    databaseUrl: async () => database.url,
    remove: async () => await database[Symbol.asyncDispose](),
  })
}

interface Storage {
  databaseUrl(): Promise<string>
  remove(): Promise<void>
}

async function running(urls: Urls, parts: Readonly<Record<string, Part>>, storage: Storage): Promise<Topology> {
  const processes = new Map<string, Headrace>()
  const start = async (name: string) => {
    const part = parts[name]
    if (part === undefined) throw new RangeError(`no process '${name}'`)
    processes.set(name, await startHeadrace(part))
  }
  const dispose = async () => {
    for (const each of [...processes.values()].toReversed()) await each.stop()
    await storage.remove()
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
    databaseUrl: () => storage.databaseUrl(),
    start,
    kill: async (name) => processes.get(name)?.kill(),
    [Symbol.asyncDispose]: dispose,
  }
}
