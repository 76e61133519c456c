import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Where the system's own tools are; nothing else is ever run by name. */
export const systemPath = '/usr/bin:/bin:/usr/sbin:/sbin'

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it started, in a form that only this machine understands. Letters and digits. */
  readonly startedAt: string
}

/** The identity of a live process; undefined when there is none with that number. A zombie does not live. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const startedAt = process.platform === 'linux' ? await startFromProc(pid) : await startFromPs(pid)
  return startedAt === undefined ? undefined : { pid, startedAt }
}

/** Tells whether this very process still lives. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const current = await identify(identity.pid)
  return current?.startedAt === identity.startedAt
}

/** The command line of a live process, its words parted by blanks; empty when there is no such process. */
export async function commandLine(pid: number): Promise<string> {
  try {
    if (process.platform !== 'linux') return (await ps('command', pid)).trim()
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}

async function startFromProc(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold anything; after it come the state (field 3) and the start time (field 22).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

async function startFromPs(pid: number): Promise<string | undefined> {
  try {
    const [state, ...start] = (await ps('state=,lstart', pid)).trim().split(/\s+/)
    return state === undefined || state.startsWith('Z') ? undefined : start.join('').replace(/\W/g, '')
  } catch {
    return undefined
  }
}

async function ps(columns: string, pid: number): Promise<string> {
  const { stdout } = await run('ps', ['-ww', '-o', `${columns}=`, '-p', String(pid)], {
    env: { PATH: systemPath, LC_ALL: 'C' },
  })
  return stdout
}
