import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const programs = join(repository, 'node_modules/.bin')
/** Longest time in ms that one call may take. */
const callMs = 60_000

/** A shell in an empty directory, in which the calls of a page are typed one after the other. */
export class Session implements AsyncDisposable {
  readonly directory: string
  readonly #shell: ChildProcess
  readonly #ended: Promise<unknown>
  #output = ''

  static async open(env: Readonly<Record<string, string>>): Promise<Session> {
    return new Session(await realpath(await mkdtemp(join(tmpdir(), 'headrace-walkthrough-'))), env)
  }

  constructor(directory: string, env: Readonly<Record<string, string>>) {
    this.directory = directory
    const { PATH, TMPDIR, NODE_COMPILE_CACHE } = process.env
    const variables = { PATH: `${programs}:${PATH}`, HOME: directory, TMPDIR, NODE_COMPILE_CACHE, ...env }
    // A process group of its own, so that whatever a page leaves running can be ended.
    this.#shell = spawn('bash', ['--norc'], {
      cwd: directory,
      env: variables,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#shell.stdout?.on('data', (chunk) => (this.#output += chunk))
    this.#ended = new Promise((resolve) => this.#shell.once('close', resolve))
    // What `npx` finds in the repository is found here by its path; npx itself would only take its time.
    this.#shell.stdin?.write('exec 2>&1\nnpx() { "$@"; }\n')
    // The repository's targets, on this directory's data.
    this.#shell.stdin?.write(`make() { HEADRACE_DATA="$PWD/.headrace" command make -s -C '${repository}' "$@"; }\n`)
  }

  writeFile(name: string, text: string): Promise<void> {
    return writeFile(join(this.directory, name), text)
  }

  /** Types a command and returns what it wrote. */
  async run(command: string): Promise<string> {
    const mark = `--- ${randomUUID()} ---`
    this.#output = ''
    this.#shell.stdin?.write(`${command}\nprintf '\\n%s\\n' '${mark}'\n`)
    for (const since = performance.now(); !this.#output.includes(mark); await delay(10)) {
      if (performance.now() - since > callMs) throw await this.#failure(`\`${command}\` took more than ${callMs} ms`)
      if (this.#shell.exitCode !== null) throw await this.#failure(`\`${command}\` ended the shell`)
    }
    return this.#output.slice(0, this.#output.indexOf(`\n${mark}`))
  }

  /** With all that was written: by the call, and by what runs beside it into log files. */
  async #failure(what: string): Promise<Error> {
    const names = (await readdir(this.directory)).filter((name) => name.endsWith('.log'))
    const logs = await Promise.all(names.map((name) => readFile(join(this.directory, name), 'utf8')))
    return new Error([what, this.#output, ...logs].join('\n'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    endGroup(this.#shell.pid)
    await this.#ended
    await rm(this.directory, { recursive: true, force: true, maxRetries: 10 })
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
