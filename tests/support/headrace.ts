import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../tools/services/ports.ts'

/** The product in a process of its own, as a user starts it. */
export interface Headrace extends AsyncDisposable {
  /** Address by which it was found ready. */
  readonly url: string
  readonly pid: number
  /** Resolves when the process has ended, however that came. */
  readonly ended: Promise<void>
  /** What it has printed so far, both streams. */
  readonly output: () => string
  /** Ends it as a crash would. */
  kill(): Promise<void>
  /** Asks it to stop, as Ctrl-C does; resolves with its exit code. */
  stop(): Promise<number | null>
}

export interface HeadraceOptions {
  readonly environment: Readonly<Record<string, string>>
  /** Arguments behind `run`. */
  readonly args?: readonly string[]
  /** The address whose /ready says that it is up. */
  readonly url: string
  /** Time in ms to become ready; default 120 000. */
  readonly deadlineMs?: number
}

const main = fileURLToPath(new URL('../../apps/platform/bin/headrace.mjs', import.meta.url))

/** Starts `headrace run` and waits until it is ready. Throws with its output when it ends or takes too long. */
export async function startHeadrace(options: HeadraceOptions): Promise<Headrace> {
  const { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE } = process.env
  const env = { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE, LOG_LEVEL: 'warn', ...options.environment }
  const child = spawn(process.execPath, [main, 'run', ...(options.args ?? [])], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'exit').then(() => undefined)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  try {
    await untilReady(child, options)
  } catch (error) {
    await end(child, 'SIGKILL')
    throw new Error(`${String(error)}\n${output}`)
  }
  return {
    url: options.url,
    pid: child.pid ?? 0,
    ended,
    output: () => output,
    kill: async () => void (await end(child, 'SIGKILL')),
    stop: () => end(child, 'SIGTERM'),
    async [Symbol.asyncDispose]() {
      await end(child, 'SIGTERM')
    },
  }
}

async function untilReady(child: ChildProcess, { url, deadlineMs = 120_000 }: HeadraceOptions): Promise<void> {
  const deadline = performance.now() + deadlineMs
  while (performance.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`headrace ended with ${child.exitCode}`)
    if (
      await fetch(`${url}/ready`).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`headrace was not ready within ${deadlineMs} ms`)
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
  return child.exitCode
}

/** Ports that nobody listens on, and that the system gives to nobody by itself. */
export function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, freePort))
}

/** Peak memory so far in MiB: of a process itself, and with its children (shared pages count in each). */
export async function peakMemory(pid: number): Promise<{ own: number; all: number }> {
  const own = await peakOf(pid)
  const below = await Promise.all((await descendants(pid)).map(peakOf))
  return { own, all: below.reduce((sum, each) => sum + each, own) }
}

/** VmHWM in MiB. */
async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024
}

async function descendants(pid: number): Promise<number[]> {
  const tasks = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const children = tasks
    .split(' ')
    .filter((text) => text !== '')
    .map(Number)
  return [...children, ...(await Promise.all(children.map(descendants))).flat()]
}
