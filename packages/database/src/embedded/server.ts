import type { ChildProcess } from 'node:child_process'
import { PlatformError, sleep } from '@headrace/runtime'
import { claimDirectory } from './claim.ts'
import { startFailure } from './failures.ts'
import { ensureDatabase } from './first-connection.ts'
import { serverUrl } from './layout.ts'
import type { EmbeddedServer, EmbeddedServerOptions, ServerBinaries, ServerExit } from './types.ts'

/**
 * The ways to end a server, from kind to rough, with the time in ms that each is given: fast shutdown; immediate
 * shutdown, after which the next start recovers from the WAL; and for a server that hangs, the same by force.
 */
const endings = [
  { signal: 'SIGINT', patienceMs: 20_000 },
  { signal: 'SIGQUIT', patienceMs: 10_000 },
  { signal: 'SIGKILL', patienceMs: 10_000 },
] as const

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
    if (error instanceof PlatformError || options.signal?.aborted) throw error
    throw startFailure(layout.dataDirectory, error)
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
    this.exited = exitOf(child).then((exit) => ({ ...exit, expected: this.#stopping !== undefined }))
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

  async #stop(): Promise<void> {
    for (const { signal, patienceMs } of endings) {
      if (await this.#endsBy(signal, patienceMs)) return
    }
    throw new PlatformError('STOP_TIMEOUT', `the embedded database, process ${this.pid}, does not end`)
  }

  async #endsBy(signal: NodeJS.Signals, patienceMs: number): Promise<boolean> {
    using patience = abortedAtEnd()
    this.#child.kill(signal)
    const late = sleep(patienceMs, patience.signal).then(() => 'late' as const)
    return (await Promise.race([this.exited, late])) !== 'late'
  }
}

/** The exit of the process, which may have come before this is asked. */
function exitOf(child: ChildProcess): Promise<Omit<ServerExit, 'expected'>> {
  return new Promise((resolve) => {
    const settle = () => resolve({ code: child.exitCode, signal: child.signalCode })
    if (child.exitCode !== null || child.signalCode !== null) settle()
    else child.once('exit', settle)
  })
}

/** An abort signal that goes off when its scope is left. */
function abortedAtEnd(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController()
  return { signal: controller.signal, [Symbol.dispose]: () => controller.abort() }
}
