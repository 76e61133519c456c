import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { hasSystemCode, PlatformError, sleep } from '@headrace/runtime'
import { chooseAccount } from './account.ts'
import { ensureCluster } from './cluster.ts'
import { saysPortTaken, startFailure } from './failures.ts'
import { launch } from './launch.ts'
import { type Layout, prepareLayout } from './layout.ts'
import { type FoundServer, findServer } from './owner.ts'
import { readPassword } from './password.ts'
import { boundedLog } from './server-log.ts'
import { type EmbeddedServerOptions, embeddedDefaults, type ServerBinaries } from './types.ts'

/** Time in ms that a server whose owner has died may take to end. */
const orphanPatienceMs = 60_000
/** Time in ms to wait for a lock whose holder cannot be seen: it is just starting, or in another container. */
const unseenPatienceMs = 10_000
/** Time in ms before a live owner counts as one that stays: one that was just killed takes a moment to be gone. */
const ownerPatienceMs = 400
const pollMs = 25

export interface Claimed {
  readonly child: ChildProcess
  readonly layout: Layout
  readonly port: number
  readonly password: string
}

/** Starts the server on the directory as soon as nobody else holds it. */
export async function claimDirectory(binaries: ServerBinaries, options: EmbeddedServerOptions): Promise<Claimed> {
  const layout = await prepareLayout(options.dataDirectory)
  try {
    return await startOn(layout, binaries, options)
  } catch (error) {
    if (error instanceof PlatformError || options.signal?.aborted) throw error
    throw startFailure(layout.dataDirectory, error)
  }
}

async function startOn(layout: Layout, binaries: ServerBinaries, options: EmbeddedServerOptions): Promise<Claimed> {
  const { signal } = options
  const { durable, maxConnections } = { ...embeddedDefaults, ...options }
  const onLog = options.onLog ?? boundedLog(layout.log)
  const since = performance.now()
  for (;;) {
    await outwaitOrphan(layout, signal)
    const account = await chooseAccount(layout)
    await ensureCluster({ binaries, account, layout, durable, onLog, signal })
    const password = await readPassword(layout)
    const port = options.port || (await freePort())
    const outcome = await launch({ binaries, account, layout, port, durable, maxConnections, onLog, signal })
    if (outcome.kind === 'ready') return { child: outcome.child, layout, port, password }
    if (outcome.kind === 'failed') refuse(layout, outcome.log, options.port ?? 0)
    else if (performance.now() - since > unseenPatienceMs) throw inUse(layout, undefined)
    await sleep(pollMs, signal)
  }
}

/** Returns once no live server is on the directory. Throws `DATABASE_IN_USE` when a live process owns the one there. */
async function outwaitOrphan(layout: Layout, signal: AbortSignal | undefined): Promise<void> {
  const since = performance.now()
  let told: number | undefined
  for (;;) {
    signal?.throwIfAborted()
    const found = await findServer(layout)
    if (found === undefined) return
    const waitedMs = performance.now() - since
    if (found.ownerAlive && waitedMs > ownerPatienceMs) throw inUse(layout, found)
    if (waitedMs > orphanPatienceMs) throw stuck(layout, found)
    if (!found.ownerAlive && told !== found.pid) {
      // Told once: a second SIGINT would not make it faster.
      tell(found.pid)
      told = found.pid
    }
    await sleep(pollMs, signal)
  }
}

function tell(pid: number): void {
  try {
    process.kill(pid, 'SIGINT')
  } catch (error) {
    if (!hasSystemCode(error, 'ESRCH')) throw error
  }
}

/** Throws unless another try with another port may help. */
function refuse(layout: Layout, log: readonly string[], port: number): void {
  if (!saysPortTaken(log)) throw startFailure(layout.dataDirectory, new Error('the server ended'), log)
  if (port === 0) return
  const message = `port ${port} on 127.0.0.1 is taken by another process; choose another one for the embedded database, or 0 for any free one`
  throw new PlatformError('PORT_TAKEN', message, { details: { port } })
}

function inUse(layout: Layout, found: FoundServer | undefined): PlatformError {
  const { dataDirectory } = layout
  const holder = holderOf(found)
  const message =
    `the data directory ${dataDirectory} is in use by ${holder}; stop it, ` +
    'or set HEADRACE_DATA to another directory, or let both share a server through DATABASE_URL'
  const details = { directory: dataDirectory, ownerPid: found?.owner?.pid, serverPid: found?.pid }
  return new PlatformError('DATABASE_IN_USE', message, { details })
}

function holderOf(found: FoundServer | undefined): string {
  if (found === undefined) return 'a process that cannot be seen from here, perhaps in another container'
  if (found.owner === undefined) return `a PostgreSQL that Headrace did not start, process ${found.pid}`
  return `process ${found.owner.pid}`
}

function stuck(layout: Layout, found: FoundServer): PlatformError {
  const message = `the embedded database in ${layout.dataDirectory} did not start: an earlier server, process ${found.pid}, did not stop within ${orphanPatienceMs / 1000} s; end it and start again`
  return new PlatformError('DATABASE_START_FAILED', message, { details: { serverPid: found.pid } })
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port')
  return address.port
}
