import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep } from '@headrace/runtime'
import { connect } from '@nats-io/transport-node'

const startMs = 20_000

/** A server of its own for one test file, on loopback, with its data in a directory that goes with it. */
export class NatsServer implements AsyncDisposable {
  readonly url: string
  readonly #directory: string
  #process: ChildProcess | undefined

  /** Starts a server; `extra` is more of its configuration. */
  static async start(extra = ''): Promise<NatsServer> {
    const directory = await mkdtemp(join(tmpdir(), 'headrace-nats-'))
    const port = await freePort()
    const config = `listen: 127.0.0.1:${port}
jetstream { store_dir: ${JSON.stringify(join(directory, 'data'))}, max_file_store: 4G, max_memory_store: 256M }
${extra}`
    await writeFile(join(directory, 'nats.conf'), config)
    const server = new NatsServer(directory, `nats://127.0.0.1:${port}`)
    await server.up()
    return server
  }

  private constructor(directory: string, url: string) {
    this.#directory = directory
    this.url = url
  }

  /** Starts it again where it stood. */
  async up(): Promise<void> {
    const binary = process.env.NATS_SERVER ?? 'nats-server'
    this.#process = spawn(binary, ['-c', join(this.#directory, 'nats.conf')], { stdio: 'ignore' })
    this.#process.on('error', () => undefined)
    const deadline = performance.now() + startMs
    while (!(await answers(this.url))) {
      if (performance.now() > deadline) throw new Error(`not within ${startMs} ms: nats-server at ${this.url}`)
      await sleep(50)
    }
  }

  /** Ends the process with a signal, as an operator (SIGTERM) or the machine (SIGKILL) does. */
  async down(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const server = this.#process
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const ended = once(server, 'exit')
    server.kill(signal)
    await ended
  }

  pause(): void {
    this.#process?.kill('SIGSTOP')
  }

  resume(): void {
    this.#process?.kill('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resume()
    await this.down('SIGKILL')
    await rm(this.#directory, { recursive: true, force: true })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Serves, and with secrets at least refuses: anything but silence. */
async function answers(url: string): Promise<boolean> {
  try {
    const connection = await connect({ servers: [url.replace('nats://', '')], reconnect: false, timeout: 1_000 })
    await connection.close()
    return true
  } catch (error) {
    return /authorization|tls|secure/i.test(String(error))
  }
}
