import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A server in a process of its own. */
export interface Server extends AsyncDisposable {
  readonly url: string
  readonly pid: number
  /** Peak memory so far in MiB: of the process itself, and of everything below it together. */
  peakMemory(): Promise<{ readonly own: number; readonly all: number }>
}

const sibling = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Starts a script that prints its port as its first line. */
export async function startScript(script: string, ...args: string[]): Promise<Server> {
  const child = spawn(process.execPath, [sibling(script), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) {
    return server(child, `http://127.0.0.1:${line.trim()}`)
  }
  throw new Error(`${script} printed no port`)
}

/** Starts the product, all in one process on its embedded database, and waits until it is ready. */
export async function startHeadrace(directory: string, port: number, environment: NodeJS.ProcessEnv = {}): Promise<Server> {
  const env = {
    ...process.env,
    API_PORT: String(port),
    INGEST_PORT: 'off',
    PROCESSOR_PORT: 'off',
    INTERNAL_PORT: '0',
    HEADRACE_DATA: directory,
    LOG_LEVEL: 'warn',
    ...environment,
  }
  const main = sibling('../../apps/platform/bin/headrace.mjs')
  const child = spawn(process.execPath, [main, 'run'], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  const url = `http://127.0.0.1:${port}`
  for (let tries = 0; tries < 400; tries += 1) {
    const ready = await fetch(`${url}/ready`).then((answer) => answer.ok, () => false)
    if (ready) return server(child, url)
    if (child.exitCode !== null) throw new Error(`headrace ended with exit code ${child.exitCode}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  child.kill('SIGKILL')
  throw new Error('headrace was not ready within 20 s')
}

function server(child: ChildProcess, url: string): Server {
  const pid = child.pid ?? 0
  return {
    url,
    pid,
    async peakMemory() {
      const own = await peakOf(pid)
      const below = await Promise.all((await descendants(pid)).map(peakOf))
      return { own, all: below.reduce((sum, each) => sum + each, own) }
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

/** VmHWM in MiB; shared pages are counted in every process that touches them. */
async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024
}

async function descendants(pid: number): Promise<number[]> {
  const tasks = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const children = tasks.split(' ').filter((text) => text !== '').map(Number)
  const below = await Promise.all(children.map(descendants))
  return [...children, ...below.flat()]
}
