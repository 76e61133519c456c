import { once } from 'node:events'
import { createServer } from 'node:net'
import { selection } from '../../catalogue.ts'
import type { PlatformSettings } from '../../settings.ts'
import { type Port, portsOf } from '../../topology.ts'
import type { Occupant } from '../running-file.ts'
import type { Finding } from './finding.ts'
import { portHolder } from './port-holder.ts'

/** Whether the ports that a start would open are free, or who has them. */
export function examinePorts(settings: PlatformSettings, occupant: Occupant | undefined): Promise<readonly Finding[]> {
  const ours = new Set(occupant?.process?.addresses.map(({ url }) => Number(new URL(url).port)))
  const fixed = portsOf(selection(undefined, settings), settings).filter(({ port }) => port > 0)
  return Promise.all(fixed.map((port) => examinePort(port, ours)))
}

async function examinePort(
  { name, port, variable, host = '127.0.0.1' }: Port,
  ours: ReadonlySet<number>,
): Promise<Finding> {
  const about = `port ${port}`
  const what = `${name} (${variable})`
  if (ours.has(port)) return { about, state: 'ok', text: `${what}: served by the Headrace that runs here` }
  const obstacle = await whyNotListen(host, port)
  if (obstacle === undefined) return { about, state: 'ok', text: `${what}: free` }
  if (obstacle !== 'EADDRINUSE') {
    const text = `${what}: cannot be listened on at ${host} (${obstacle})`
    return { about, state: 'broken', text, fix: `set ${variable} or HOST` }
  }
  const holder = await portHolder(port)
  const by = holder === undefined ? 'by another process' : `by process ${holder.pid} (${holder.command})`
  const fix = `stop it, or set ${variable} to another port (0 = any free one)`
  return { about, state: 'broken', text: `${what}: taken ${by}`, fix }
}

/** The system's code for why this address cannot be listened on; undefined when it can. */
async function whyNotListen(host: string, port: number): Promise<string | undefined> {
  const probe = createServer()
  try {
    probe.listen(port, host)
    await once(probe, 'listening')
    return undefined
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  } finally {
    probe.close()
  }
}
