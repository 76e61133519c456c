import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { sleep } from '@headrace/runtime'
import { claimDirectory } from './claim.ts'
import { ensureDatabase } from './first-connection.ts'
import { serverUrl } from './layout.ts'
import type { EmbeddedServer, EmbeddedServerOptions, ServerBinaries, ServerExit } from './types.ts'

/** Time in ms that a stop may take before the server is told to end without writing its caches first. */
const stopPatienceMs = 20_000

/** Starts a server of the given binaries; see `startEmbeddedServer`. */
export async function startServer(binaries: ServerBinaries, options: EmbeddedServerOptions): Promise<ServerProcess> {
  const { child, layout, port, password } = await claimDirectory(binaries, options)
  const server = new ServerProcess(child, serverUrl(port, password), layout.dataDirectory)
  try {
    await ensureDatabase(serverUrl(port, password, 'postgres'))
    options.signal?.throwIfAborted()
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}

/** A server that is a child of this process. */
export class ServerProcess implements EmbeddedServer {
  readonly url: string
  readonly dataDirectory: string
  readonly pid: number
  readonly exited: Promise<ServerExit>
  readonly #child: ChildProcess
  #stopping: Promise<void> | undefined

  constructor(child: ChildProcess, url: string, dataDirectory: string) {
    this.#child = child
    this.url = url
    this.dataDirectory = dataDirectory
    this.pid = child.pid ?? 0
    this.exited = this.#awaitExit()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** Lets this process end although the server runs; the server then ends with it. For tests only. */
  letProcessEnd(): void {
    this.#child.unref()
    // Its declared type hides that a pipe of a child process is a socket.
    const output = this.#child.stderr as unknown as { unref(): void } | null
    output?.unref()
  }

  /** Fast shutdown (SIGINT); should it take too long, immediate (SIGQUIT): the next start then recovers from the WAL. */
  async #stop(): Promise<void> {
    const patience = new AbortController()
    this.#child.kill('SIGINT')
    await Promise.race([this.exited, sleep(stopPatienceMs, patience.signal)])
    this.#child.kill('SIGQUIT')
    await this.exited
    patience.abort()
  }

  async #awaitExit(): Promise<ServerExit> {
    const child = this.#child
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return { code: child.exitCode, signal: child.signalCode, expected: this.#stopping !== undefined }
  }
}
