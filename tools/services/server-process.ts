import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep } from '@headrace/runtime'
import { programNamed } from './run.ts'

/** One process of a server. Everything that it writes lies in its directory, which is also where it runs. */
export interface ServerNode {
  /** `kafka-1` */
  readonly name: string
  readonly directory: string
  readonly command: readonly [program: string, ...args: string[]]
  readonly env?: Readonly<Record<string, string>>
  /** Tells whether it serves; `said` is what it printed since it was started. */
  ready(said: string): boolean | Promise<boolean>
}

/** `process`: it dies with this process. `nobody`: it goes on when this process ends. */
export type Owner = 'process' | 'nobody'

/** Longest start and longest orderly stop, in ms. Machines are slow when they are shared. */
const startDeadlineMs = 90_000
const stopDeadlineMs = 20_000
const pauseMs = 20

/** Starts a node unless it runs, and waits until it serves. Throws with the end of what it said when it does not. */
export async function startNode(node: ServerNode, owner: Owner): Promise<void> {
  await mkdir(node.directory, { recursive: true })
  if (pidOf(node.directory) === undefined) await launch(node, owner)
  const deadline = performance.now() + startDeadlineMs
  while (!(await node.ready(await saidSince(node.directory)))) {
    const pid = pidOf(node.directory)
    if (pid !== undefined && performance.now() < deadline) {
      await sleep(pauseMs)
      continue
    }
    const why = pid === undefined ? 'ended' : `did not serve within ${startDeadlineMs / 1000} s`
    throw new Error(`${node.name} ${why}: ${(await saidSince(node.directory)).slice(-2_000)}`)
  }
}

/** Ends a node in an orderly way, or by force when it does not end in time. */
export async function stopNode(directory: string): Promise<void> {
  signalNode(directory, 'SIGCONT')
  signalNode(directory, 'SIGTERM')
  if (!(await ended(directory, stopDeadlineMs))) await killNode(directory)
}

/** Ends a node as a crash would. */
export async function killNode(directory: string): Promise<void> {
  signalNode(directory, 'SIGKILL')
  if (!(await ended(directory, stopDeadlineMs))) throw new Error(`${directory}: does not die`)
}

/** Sends a signal to a node that runs; tells whether one does. */
export function signalNode(directory: string, signal: NodeJS.Signals): boolean {
  const pid = pidOf(directory)
  if (pid === undefined) return false
  try {
    process.kill(pid, signal)
    return true
  } catch {
    return false
  }
}

/**
 * Holds a node still and returns when it stands: the signal alone is heard only when one of its threads gets a processor,
 * and until then the others go on. Without `/proc` the signal must do.
 */
export function pauseNode(directory: string): void {
  const pid = pidOf(directory)
  if (pid === undefined || !signalNode(directory, 'SIGSTOP') || !existsSync('/proc/self/task')) return
  const stands = () => readdirSync(`/proc/${pid}/task`).every((thread) => stateOf(`${pid}/task/${thread}`) === 'T')
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (const deadline = performance.now() + stopDeadlineMs; !stands(); Atomics.wait(pause, 0, 0, 1)) {
    if (performance.now() > deadline) throw new Error(`${directory}: does not stand still`)
  }
}

/** The state letter of a process or thread (proc_pid_stat(5)), whose name may hold brackets; X when there is none. */
function stateOf(path: string): string {
  try {
    const status = readFileSync(`/proc/${path}/stat`, 'utf8')
    return status.charAt(status.lastIndexOf(')') + 2)
  } catch {
    return 'X'
  }
}

/** The process that runs in a directory; a process of that number that runs elsewhere is somebody else. */
export function pidOf(directory: string): number | undefined {
  const path = join(directory, 'pid')
  const pid = existsSync(path) ? Number(readFileSync(path, 'utf8')) : Number.NaN
  return pid > 0 && runsIn(pid, directory) ? pid : undefined
}

function runsIn(pid: number, directory: string): boolean {
  try {
    if (process.platform !== 'linux') return process.kill(pid, 0)
    if (['Z', 'X'].includes(stateOf(String(pid)))) return false
    // Java goes elsewhere for a moment while it starts, and Redis changes its command line.
    const own = realpathSync(directory)
    return readlinkSync(`/proc/${pid}/cwd`) === own || readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(own)
  } catch {
    return false
  }
}

async function ended(directory: string, deadlineMs: number): Promise<boolean> {
  const deadline = performance.now() + deadlineMs
  while (pidOf(directory) !== undefined) {
    if (performance.now() > deadline) return false
    await sleep(pauseMs)
  }
  await rm(join(directory, 'pid'), { force: true })
  return true
}

async function launch(node: ServerNode, owner: Owner): Promise<void> {
  const [program, ...args] = owner === 'process' ? await dyingWithUs(node.command) : node.command
  const log = await open(logOf(node.directory), 'a')
  try {
    await writeFile(join(node.directory, 'start'), String((await log.stat()).size))
    const child = spawn(program, args, {
      cwd: node.directory,
      env: { ...process.env, ...node.env },
      detached: owner === 'nobody',
      stdio: ['ignore', log.fd, log.fd],
    })
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    child.unref()
    await writeFile(join(node.directory, 'pid'), String(child.pid))
  } finally {
    await log.close()
  }
}

async function dyingWithUs(command: ServerNode['command']): Promise<ServerNode['command']> {
  const setpriv = process.platform === 'linux' ? await programNamed('setpriv') : undefined
  return setpriv === undefined ? command : [setpriv, '--pdeathsig', 'KILL', ...command]
}

/** Where a node's output is. */
export function logOf(directory: string): string {
  return join(directory, 'output.log')
}

async function saidSince(directory: string): Promise<string> {
  const from = Number(await readFile(join(directory, 'start'), 'utf8').catch(() => '0'))
  const path = logOf(directory)
  if (!existsSync(path)) return ''
  const { size } = await stat(path)
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.max(size - from, 0)), 0, null, from)
  return buffer.subarray(0, bytesRead).toString()
}
