import { readFile } from 'node:fs/promises'
import type { Layout } from './layout.ts'
import { commandLine, identify, isAlive, type ProcessIdentity } from './processes.ts'

/**
 * The setting by which a server carries the identity of the process that owns it. It is part of the command line and
 * so can be neither missing nor out of date, as a file could be.
 */
const ownerSetting = 'headrace.owner'
const ownerPattern = / headrace\.owner=(\d+)\.(\w+) /

/** The words of the command line that name this process as the owner. */
export async function ownerArguments(): Promise<readonly string[]> {
  const self = await identify(process.pid)
  return ['-c', `${ownerSetting}=${process.pid}.${self?.startedAt ?? 0}`]
}

/** A live server on a data directory. */
export interface FoundServer {
  readonly pid: number
  /** Undefined when something other than Headrace started it. */
  readonly owner: ProcessIdentity | undefined
  readonly ownerAlive: boolean
  readonly port: number
  /** True once it takes connections. */
  readonly ready: boolean
}

/** Finds the live server of a data directory through `postmaster.pid` and the command line of the process it names. */
export async function findServer(layout: Layout): Promise<FoundServer | undefined> {
  const lines = await readFile(layout.postmasterPid, 'utf8').then(
    (text) => text.split('\n'),
    () => [],
  )
  const pid = Number.parseInt(lines[0] ?? '', 10)
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  const command = `${await commandLine(pid)} `
  if (!command.includes(` -D ${layout.cluster} `)) return undefined
  const owner = parseOwner(command)
  const ownerAlive = owner === undefined || (await isAlive(owner))
  return { pid, owner, ownerAlive, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' }
}

function parseOwner(command: string): ProcessIdentity | undefined {
  const match = ownerPattern.exec(command)
  return match === null ? undefined : { pid: Number(match[1]), startedAt: match[2] ?? '' }
}
