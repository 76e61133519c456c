import { hasCode } from '@headrace/runtime'
import { locateBinaries } from '../embedded/binaries.ts'
import { startServer } from '../embedded/server.ts'
import type { EmbeddedServer, ServerBinaries } from '../embedded/types.ts'
import { temporaryDirectory } from './temporary.ts'

export interface TestServerOptions {
  /** The embedded version (default), or the machine's own PostgreSQL 15 as a private cluster. */
  readonly version?: 'embedded' | 15
  /** Default `caller`: whoever starts the server stops it. `process`: it ends with this process and lets it end. */
  readonly owner?: 'caller' | 'process'
}

/** A server of its own in a temporary directory, without fsync. */
export interface TestServer extends AsyncDisposable {
  readonly url: string
  readonly pid: number
  /** Stops the server and removes its directory. Idempotent. */
  stop(): Promise<void>
}

/** A server that a test stops and starts; the address stays the same. */
export interface RestartableServer extends AsyncDisposable {
  readonly url: string
  /** Stops the server, if it runs, and starts it again. */
  restart(): Promise<void>
  /** Stops the server in an orderly way: connections end with 57P01. */
  stop(): Promise<void>
  /** Ends the server as a crash would: the main process gets SIGKILL, connections break. */
  kill(): Promise<void>
}

const debianBinaries = { directory: '/usr/lib/postgresql/15/bin', major: 15 } as const satisfies ServerBinaries

/** Starts a server for a whole test run. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const binaries = options.version === 15 ? debianBinaries : await locateBinaries()
  const directory = await temporaryDirectory()
  const server = await startServer(binaries, { dataDirectory: directory.path, durable: false, maxConnections: 200 })
  if (options.owner === 'process') server.letProcessEnd()
  let stopped: Promise<void> | undefined
  const stop = () => (stopped ??= server.stop().then(() => directory.remove()))
  return { url: server.url, pid: server.pid, stop, [Symbol.asyncDispose]: stop }
}

/** Starts a server for a test that stops, kills and restarts it. */
export async function testServer(options: TestServerOptions = {}): Promise<RestartableServer> {
  const binaries = options.version === 15 ? debianBinaries : await locateBinaries()
  const directory = await temporaryDirectory()
  const common = { dataDirectory: directory.path, durable: false, maxConnections: 200 }
  const start = (port: number) => startServer(binaries, { ...common, port })
  let server: EmbeddedServer = await start(0)
  const port = Number(new URL(server.url).port)
  return {
    url: server.url,
    async restart() {
      await server.stop()
      server = await startAgain(() => start(port))
    },
    stop: () => server.stop(),
    async kill() {
      process.kill(server.pid, 'SIGKILL')
      await server.exited
    },
    async [Symbol.asyncDispose]() {
      await server.stop()
      await directory.remove()
    },
  }
}

/** A port that was free a moment ago may serve somebody's outgoing connection for as long. */
async function startAgain(start: () => Promise<EmbeddedServer>, attempts = 20): Promise<EmbeddedServer> {
  try {
    return await start()
  } catch (error) {
    if (attempts === 0 || !hasCode(error, 'PORT_TAKEN')) throw error
    return startAgain(start, attempts - 1)
  }
}
