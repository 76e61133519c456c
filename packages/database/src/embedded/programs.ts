import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type Account, spawnUser } from './account.ts'
import { systemPath } from './processes.ts'

/** No variable of this process reaches the server's programs: PGDATA and its like would change what they do. */
const environment = { PATH: systemPath, LC_ALL: 'C', TZ: 'UTC' }

export interface ProgramOptions {
  readonly account: Account
  readonly signal?: AbortSignal | undefined
}

/** Starts a program in a session of its own, so that Ctrl-C in the terminal reaches this process only. */
export function startProgram(words: readonly string[], account: Account): ChildProcess {
  const [program = '', ...args] = words
  const child = spawn(program, args, {
    cwd: '/',
    detached: true,
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...spawnUser(account),
  })
  // A signal that could not be sent is told here too, long after anybody waits for it.
  child.on('error', () => {})
  return child
}

/** Runs a program to its end and returns what it wrote to standard error. Aborting the signal kills it. */
export async function runProgram(
  words: readonly string[],
  { account, signal }: ProgramOptions,
): Promise<{ code: number | null; lines: readonly string[] }> {
  signal?.throwIfAborted()
  const child = startProgram(words, account)
  const lines: string[] = []
  forEachLine(child, (line) => lines.push(line))
  const kill = () => child.kill('SIGKILL')
  signal?.addEventListener('abort', kill)
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    signal?.throwIfAborted()
    return { code, lines }
  } finally {
    signal?.removeEventListener('abort', kill)
  }
}

/** Calls `onLine` for each line on the program's standard error. */
export function forEachLine(child: ChildProcess, onLine: (line: string) => void): void {
  if (child.stderr !== null) createInterface({ input: child.stderr }).on('line', onLine)
}
