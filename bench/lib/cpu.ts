import { readdirSync, readFileSync } from 'node:fs'

/** Processor time in seconds, by program: `node` (this process and those below), `postgres`, `java`, `nats-server`. */
export type CpuSeconds = ReadonlyMap<string, number>

/** Clock ticks per second in /proc; fixed for programs. (proc(5), sysconf(3)) */
const ticks = 100

/** Processor time so far of this process and all below it, with those that ended. Only this process where there is no /proc. */
export function cpuSeconds(): CpuSeconds {
  const { user, system } = process.cpuUsage()
  const found = new Map([['node', (user + system) / 1e6]])
  for (const { name, seconds } of processesBelow()) found.set(name, (found.get(name) ?? 0) + seconds)
  return found
}

/** Microseconds of processor time per operation since `before`, as a cell of a table. */
export function cpuPerOperation(before: CpuSeconds, operations: number): string {
  const each = [...cpuSeconds()].map(([name, seconds]) => ({
    name,
    us: ((seconds - (before.get(name) ?? 0)) * 1e6) / operations,
  }))
  const all = each.reduce((sum, { us }) => sum + us, 0)
  const parts = each.filter(({ us }) => us >= 0.1).map(({ name, us }) => `${name} ${us.toFixed(1)}`)
  return `${all.toFixed(1)} (${parts.join(', ')})`
}

interface Found {
  readonly name: string
  readonly pid: number
  readonly parent: number
  readonly seconds: number
}

function processesBelow(): Found[] {
  const all = everyProcess()
  const below = new Set([process.pid])
  for (let grown = true; grown; ) {
    const found = all.filter(({ pid, parent }) => below.has(parent) && !below.has(pid))
    for (const { pid } of found) below.add(pid)
    grown = found.length > 0
  }
  return all.filter(({ pid }) => pid !== process.pid && below.has(pid))
}

function everyProcess(): Found[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => stat(Number(pid)))
  } catch {
    return []
  }
}

function stat(pid: number): Found[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const end = text.lastIndexOf(')')
    const fields = text.slice(end + 2).split(' ')
    const [user, system, usersOfEnded, systemsOfEnded] = fields.slice(11, 15).map(Number)
    const spent = (user ?? 0) + (system ?? 0) + (usersOfEnded ?? 0) + (systemsOfEnded ?? 0)
    const named = text.slice(text.indexOf('(') + 1, end)
    // As Node calls the thread that a process is shown by.
    const name = named === 'MainThread' ? 'node' : named
    return [{ pid, name, parent: Number(fields[1]), seconds: spent / ticks }]
  } catch {
    return []
  }
}
