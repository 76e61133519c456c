import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { startEmbeddedServer } from '../src/embedded/index.ts'
import { temporaryDirectory } from '../src/testing/temporary.ts'

export type OwnerMessage =
  | { readonly kind: 'started'; readonly url: string; readonly serverPid: number }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'committed'; readonly id: number }

export interface OwnerOptions {
  /** Words before the command, as `unshare -U`. */
  readonly through?: readonly string[]
  readonly port?: number
  /** `insert`: commits row after row once it has started. */
  readonly work?: 'insert'
}

/** A process of its own that starts an embedded server on a data directory; disposing ends both. */
export class Owner implements AsyncDisposable {
  readonly pid: number
  readonly #child
  readonly #messages: OwnerMessage[] = []
  readonly #closed: Promise<unknown>
  #noise = ''
  #wake = Promise.withResolvers<void>()

  constructor(dataDirectory: string, options: OwnerOptions = {}) {
    const script = fileURLToPath(new URL('fixtures/own-server.ts', import.meta.url))
    const command = [process.execPath, script, dataDirectory, String(options.port ?? 0), options.work ?? '']
    const [program = '', ...args] = [...(options.through ?? []), ...command]
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.pid = this.#child.pid ?? 0
    this.#closed = once(this.#child, 'close').then(() => this.#wake.resolve())
    this.#child.stderr.on('data', (text) => (this.#noise += text))
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      // Written by the fixture, in its own words.
      this.#messages.push(JSON.parse(line) as OwnerMessage)
      this.#wake.resolve()
    })
  }

  /** The messages so far, once there are at least `count`. */
  async messages(count: number): Promise<readonly OwnerMessage[]> {
    while (this.#messages.length < count) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) break
      await this.#wake.promise
      this.#wake = Promise.withResolvers()
    }
    return this.#messages
  }

  async started(): Promise<{ url: string; serverPid: number }> {
    const [message] = await this.messages(1)
    assert(message?.kind === 'started', `not started: ${JSON.stringify(message)} ${this.#noise}`)
    return message
  }

  async refused(): Promise<{ code: string; message: string }> {
    const [message] = await this.messages(1)
    assert(message?.kind === 'refused', `not refused: ${JSON.stringify(message)} ${this.#noise}`)
    return message
  }

  /** Ends the process as `kill -9` does. Resolves when it is gone; its server may still be on its way out. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#closed
  }
}

/** Runs one statement on a connection of its own. */
export async function query<R extends pg.QueryResultRow>(url: string, text: string, values?: unknown[]): Promise<R[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<R>(text, values)).rows
  } finally {
    await client.end()
  }
}

/** A new directory; disposing removes it and ends a server that was left in it. */
export async function emptyDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const { path, remove } = await temporaryDirectory()
  return { path, [Symbol.asyncDispose]: remove }
}

let prepared: Promise<string> | undefined

/** A directory with a cluster as a stop leaves it, in which table `kept` holds the row 1. Ten times faster to have. */
export async function usedDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  prepared ??= prepareDirectory()
  const directory = await emptyDirectory()
  await cp(await prepared, directory.path, { recursive: true })
  return directory
}

/** Goes with the process, as every temporary directory does. */
async function prepareDirectory(): Promise<string> {
  const { path } = await temporaryDirectory()
  await using server = await startEmbeddedServer({ dataDirectory: path })
  await query(server.url, 'create table kept as select 1 as id')
  return path
}

/** Why a test of Linux's own means is skipped. */
export function notLinux(): string | false {
  return process.platform === 'linux' ? false : 'only Linux has this'
}

/** Why a test that must be root on Linux is skipped. */
export function notRootOnLinux(): string | false {
  return process.platform === 'linux' && process.getuid?.() === 0 ? false : 'needs root on Linux'
}

/** Words before a command that run it on a machine on which these tools fail. */
export function withoutTools(tools: readonly string[]): readonly string[] {
  const hide = tools.map((tool) => `mount --bind /bin/false /usr/bin/${tool}`).join(' && ')
  return ['unshare', '-m', 'sh', '-c', `${hide} && exec "$@"`, 'sh']
}

export interface SmallDisk {
  /** As `mount` takes it: `20m`. */
  readonly size: string
  /** A directory whose contents are put there first. */
  readonly copyOf?: string
  readonly readOnly?: boolean
  /** The command runs twice: on the full disk, and again when there is room. */
  readonly fullAtFirst?: boolean
}

/** Words before a command that run it where `path` is a disk of its own, which is gone with the command. */
export function onSmallDisk(path: string, disk: SmallDisk): readonly string[] {
  const firstRun = [`{ cat /dev/zero > ${path}/ballast 2> /dev/null || true; }`, '"$@"', `rm ${path}/ballast`]
  const steps = [
    `mount -t tmpfs -o size=${disk.size},mode=700 tmpfs ${path}`,
    ...(disk.copyOf === undefined ? [] : [`cp -a ${disk.copyOf}/. ${path}`]),
    ...(disk.fullAtFirst ? firstRun : []),
    ...(disk.readOnly ? [`mount -o remount,ro ${path}`] : []),
    'exec "$@"',
  ]
  return ['unshare', '-m', 'sh', '-c', steps.join(' && '), 'sh']
}
