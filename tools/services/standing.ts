import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type KafkaPorts, kafkaNodes } from './kafka.ts'
import { type NatsPorts, natsNodes } from './nats.ts'
import { firstAnswer, freePort, isFree } from './ports.ts'
import { redisNode } from './redis.ts'
import { pidOf, type ServerNode, startNode } from './server-process.ts'

export const serviceNames = ['kafka', 'nats', 'redis'] as const
export type ServiceName = (typeof serviceNames)[number]

/** A service that goes on when the command ends. Nodes listen on `port`, `port` + 1 … */
export interface Wanted {
  readonly name: ServiceName
  readonly directory: string
  /** 0 = any free one. */
  readonly port: number
  readonly nodes: number
  /** Kafka's second port for clients, of its first node; undefined = none, 0 = any free one. */
  readonly second?: number
}

/** Ports as they were chosen when a service was first started; it keeps them. */
type Ports = readonly (KafkaPorts & NatsPorts)[]

export interface Standing {
  readonly name: ServiceName
  readonly addresses: readonly string[]
  readonly nodes: readonly ServerNode[]
}

/** A port that somebody else listens on. */
export class PortTakenError extends Error {
  constructor(name: string, port: number) {
    super(`port ${port} is taken; choose another with --port-${name} (0 = any free one)`)
  }
}

/** Starts what does not run yet. */
export async function bringUp(wanted: Wanted): Promise<Standing> {
  const known = await portsOf(wanted.directory, wanted.name)
  const keeps = known !== undefined && (runs(wanted, known.length) || fits(known, wanted))
  const ports = keeps ? known : await choosePorts(wanted)
  await mkdir(wanted.directory, { recursive: true })
  await writeFile(stateOf(wanted.directory, wanted.name), JSON.stringify(ports))
  const standing = await plan(wanted.directory, wanted.name, ports)
  await Promise.all(standing.nodes.map((node) => startNode(node, 'nobody')))
  return standing
}

/** What was brought up in a directory, running or not; undefined when nothing was. */
export async function standingIn(directory: string, name: ServiceName): Promise<Standing | undefined> {
  const ports = await portsOf(directory, name)
  return ports && plan(directory, name, ports)
}

/** Tells whether somebody answers at an address, whoever started it. */
export async function answersAt(address: string): Promise<boolean> {
  const [, host, port] = /(?:^|[/@])([\w.-]+|\[[\da-f:]+\]):(\d+)/i.exec(address) ?? []
  return host !== undefined && (await firstAnswer(Number(port), probe, host)) !== undefined
}

/** Kafka answers to ApiVersions, NATS to anything and Redis to what it does not understand with an error. */
const probe = Buffer.from('0000000a00120000000000010000', 'hex').toString('latin1')

function runs({ directory, name }: Wanted, nodes: number): boolean {
  return Array.from({ length: nodes }, (_, at) => join(directory, `${name}-${at + 1}`)).some(
    (node) => pidOf(node) !== undefined,
  )
}

/** Tells whether what was started before is what is wanted, so that it gets its ports and data again. */
function fits(known: Ports, { port, nodes, second }: Wanted): boolean {
  const [first] = known
  const same = (is: number | undefined, wanted: number | undefined) => wanted === 0 || is === wanted
  return known.length === nodes && same(first?.client, port) && same(first?.second, second)
}

async function choosePorts({ name, port, nodes, second }: Wanted): Promise<Ports> {
  const choose = async (wanted: number) => {
    if (wanted === 0) return freePort()
    if (await isFree(wanted)) return wanted
    throw new PortTakenError(name, wanted)
  }
  const of = async (at: number) => ({
    client: await choose(port === 0 ? 0 : port + at),
    ...(at === 0 && second !== undefined && { second: await choose(second) }),
    controller: await freePort(),
    cluster: await freePort(),
  })
  return Promise.all(Array.from({ length: nodes }, (_, at) => of(at)))
}

async function plan(directory: string, name: ServiceName, ports: Ports): Promise<Standing> {
  const addresses = ports.map(({ client }) => `127.0.0.1:${client}`)
  return { name, addresses, nodes: await nodesOf(directory, name, ports) }
}

async function nodesOf(directory: string, name: ServiceName, ports: Ports): Promise<ServerNode[]> {
  switch (name) {
    case 'kafka':
      return kafkaNodes({ directory, ports })
    case 'nats':
      return natsNodes({ directory, ports })
    case 'redis':
      return [await redisNode({ directory, port: ports[0]?.client ?? 0 })]
    default:
      return name satisfies never
  }
}

function stateOf(directory: string, name: ServiceName): string {
  return join(directory, `${name}.json`)
}

async function portsOf(directory: string, name: ServiceName): Promise<Ports | undefined> {
  const text = await readFile(stateOf(directory, name), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Ports) // written by us
}
