import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Account, asAccount } from './account.ts'
import { saysLocked } from './failures.ts'
import type { Layout } from './layout.ts'
import { ownerArguments } from './owner.ts'
import { forEachLine, startProgram } from './programs.ts'
import { serverArguments } from './settings.ts'
import type { ServerBinaries } from './types.ts'

/** The code with which `flock` ends when somebody else holds the lock; no code of PostgreSQL's. */
const lockedCode = 75

/** How many of the server's last lines are kept to tell why it did not start. */
const keptLines = 50

export interface LaunchRequest {
  readonly binaries: ServerBinaries
  readonly account: Account
  readonly layout: Layout
  readonly port: number
  readonly durable: boolean
  readonly maxConnections: number
  readonly onLog: (line: string) => void
  readonly signal?: AbortSignal | undefined
}

/** How an attempt to start the server ended. */
export type Launch =
  | { readonly kind: 'ready'; readonly child: ChildProcess }
  /** Another process holds the data directory. */
  | { readonly kind: 'locked' }
  | { readonly kind: 'failed'; readonly log: readonly string[] }

/** Starts the server and waits until it takes connections or has ended. Aborting the signal ends it. */
export async function launch(request: LaunchRequest): Promise<Launch> {
  request.signal?.throwIfAborted()
  const child = startProgram(await serverCommand(request), request.account)
  const log: string[] = []
  const ready = Promise.withResolvers<'ready'>()
  forEachLine(child, (line) => {
    if (log.length === keptLines) log.shift()
    log.push(line)
    request.onLog(line)
    if (line.includes('database system is ready to accept connections')) ready.resolve('ready')
  })
  const stop = () => child.kill('SIGQUIT')
  request.signal?.addEventListener('abort', stop)
  try {
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null }))
    const outcome = await Promise.race([ready.promise, ended])
    request.signal?.throwIfAborted()
    if (outcome === 'ready') return { kind: 'ready', child }
    return outcome.code === lockedCode || saysLocked(log) ? { kind: 'locked' } : { kind: 'failed', log }
  } finally {
    request.signal?.removeEventListener('abort', stop)
  }
}

/**
 * The server's command line. Every program before `postgres` replaces itself by the next one, so that the server is
 * our direct child and has inherited the lock, which its children keep for as long as one of them lives. Under the lock
 * a `postmaster.pid` is stale: its number may meanwhile belong to another process, on which the server would give up.
 */
async function serverCommand(request: LaunchRequest): Promise<readonly string[]> {
  const { account, binaries, layout } = request
  const lock = ['flock', '-n', '-F', '-E', String(lockedCode), layout.lock]
  const clean = ['sh', '-c', 'rm -f "$0"; exec "$@"', layout.postmasterPid]
  return [
    ...(account.tools.flock ? [...lock, ...clean] : []),
    ...asAccount(account, 'INT'),
    join(binaries.directory, 'postgres'),
    '-D',
    layout.cluster,
    ...(await ownerArguments()),
    ...serverArguments({ ...request, major: binaries.major }),
  ]
}
