import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { containerIn, containerState, containerUp, hasEngine, inDocker } from './docker.ts'
import { killNode, logOf, pidOf, startNode, stopNode } from './server-process.ts'
import {
  answersAt,
  bringUp,
  type ServiceName,
  type Standing,
  serviceNames,
  standingIn,
  type Wanted,
} from './standing.ts'

const usage = `usage: node tools/services.ts <command> [name …] [options]
  up       starts Kafka, NATS with JetStream and Redis, or those named, and waits until they serve
  down     ends them; their data stay
  status   shows what runs, and where
  env      prints their addresses: eval "$(node tools/services.ts env)"
  restart  stops and starts them, or single nodes: restart kafka-2
  kill     ends them, or single nodes, as a crash would (SIGKILL); up starts them again
options
  --port-kafka N         9092, and with --nodes 3 the two behind it (0 = any free one)
  --port-kafka-second N  29092, a second one of the first node (0 = any free one)
  --port-nats N          4222
  --port-redis N         6379
  --nodes N              nodes of Kafka and NATS (1)
  --dir PATH             where data, logs and pids are (.services)
An address in KAFKA_BROKERS, NATS_URL or REDIS_URL at which somebody answers is taken as it is, and nothing is started.
Where a Docker engine answers, single nodes run in containers (SERVICES_DOCKER=off: never); otherwise as processes here.`

const variables = { kafka: 'KAFKA_BROKERS', nats: 'NATS_URL', redis: 'REDIS_URL' } as const
const schemes = { kafka: '', nats: 'nats://', redis: 'redis://' } as const
const commands = { up, down, status, env, restart, kill }
const defaultDirectory = fileURLToPath(new URL('../../.services', import.meta.url))

interface Request {
  readonly services: readonly ServiceName[]
  /** Single nodes that were named, `kafka-2`; empty: all of the services. */
  readonly nodes: readonly string[]
  readonly directory: string
  readonly count: number
  readonly ports: Readonly<Record<ServiceName | 'second', number>>
}

/** Runs one command and returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const [name = 'help', ...rest] = args
  if (!(name in commands)) {
    console.log(usage)
    return /^(--)?help$|^-h$/.test(name) ? 0 : 2
  }
  try {
    return await commands[name as keyof typeof commands](requestOf(rest)) // it is one of them
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 1
  }
}

function requestOf(args: readonly string[]): Request {
  const text = { type: 'string' } as const
  const options = { 'port-kafka': text, 'port-kafka-second': text, 'port-nats': text, 'port-redis': text }
  const parsed = parseArgs({ args: [...args], allowPositionals: true, options: { ...options, nodes: text, dir: text } })
  const { values, positionals } = parsed
  const number = (flag: keyof typeof options | 'nodes', otherwise: number) => {
    const value = Number(values[flag] ?? otherwise)
    if (Number.isInteger(value) && value >= 0 && value < 65_536) return value
    throw new RangeError(`--${flag}: '${values[flag]}' is no whole number`)
  }
  const named = positionals.map(serviceOf)
  return {
    services: serviceNames.filter((service) => named.length === 0 || named.includes(service)),
    nodes: positionals.filter((positional) => positional.includes('-')),
    directory: resolve(values.dir ?? defaultDirectory),
    count: Math.max(number('nodes', 1), 1),
    ports: {
      kafka: number('port-kafka', 9092),
      second: number('port-kafka-second', 29_092),
      nats: number('port-nats', 4222),
      redis: number('port-redis', 6379),
    },
  }
}

function serviceOf(positional: string): ServiceName {
  const service = serviceNames.find((name) => name === positional.replace(/-\d+$/, ''))
  if (service === undefined) throw new RangeError(`'${positional}' is none of ${serviceNames.join(', ')}`)
  return service
}

async function up(request: Request): Promise<number> {
  const started = await Promise.allSettled(request.services.map((name) => bringUpOrTake(request, name)))
  for (const result of started) {
    if (result.status === 'fulfilled') console.log(result.value)
    else console.error(result.reason instanceof Error ? result.reason.message : result.reason)
  }
  return started.every(({ status }) => status === 'fulfilled') ? 0 : 1
}

async function bringUpOrTake(request: Request, name: ServiceName): Promise<string> {
  const given = process.env[variables[name]]
  if (given && (await answersAt(given))) return `${name}  ${given}  (from ${variables[name]})`
  const wanted = wantedOf(request, name)
  if (await belongsInDocker(wanted)) return `${name}  ${(await containerUp(wanted)).address}`
  const { addresses } = await bringUp(wanted)
  return `${name}  ${addresses.join()}`
}

/** What was started as a process stays one; several nodes know each other only as processes. */
async function belongsInDocker({ directory, name, nodes }: Wanted): Promise<boolean> {
  if ((await standingIn(directory, name)) !== undefined) return false
  return nodes === 1 && ((await containerIn(directory, name)) !== undefined || (await hasEngine()))
}

function wantedOf({ directory, count, ports }: Request, name: ServiceName): Wanted {
  const wanted = { name, directory, port: ports[name], nodes: name === 'redis' ? 1 : count }
  return name === 'kafka' ? { ...wanted, second: ports.second } : wanted
}

async function down(request: Request): Promise<number> {
  await eachContainer(request, 'stop')
  await eachNode(request, ({ directory }) => stopNode(directory))
  return 0
}

async function kill(request: Request): Promise<number> {
  await eachContainer(request, 'kill')
  await eachNode(request, ({ directory }) => killNode(directory))
  return 0
}

async function restart(request: Request): Promise<number> {
  await eachContainer(request, 'restart')
  await eachNode(request, ({ directory }) => stopNode(directory))
  await eachNode(request, (node) => startNode(node, 'nobody'))
  return status(request)
}

async function status(request: Request): Promise<number> {
  let allRun = true
  for (const name of request.services) {
    const container = await containerIn(request.directory, name)
    if (container !== undefined) {
      const state = await containerState(container)
      allRun &&= state === 'running'
      console.log(`${container.name}  ${container.address}  ${state}  docker logs ${container.name}`)
      continue
    }
    const standing = await standingIn(request.directory, name)
    if (standing === undefined) console.log(`${name}  was not started`)
    for (const [at, { name: node, directory }] of (standing?.nodes ?? []).entries()) {
      const pid = pidOf(directory)
      allRun &&= pid !== undefined
      const state = pid === undefined ? 'does not run' : `runs as ${pid}`
      console.log(`${node}  ${standing?.addresses[at]}  ${state}  ${logOf(directory)}`)
    }
    allRun &&= standing !== undefined
  }
  return allRun ? 0 : 1
}

async function env({ services, directory }: Request): Promise<number> {
  for (const name of services) {
    const standing = await standingIn(directory, name)
    const container = await containerIn(directory, name)
    const found = container === undefined ? standing?.addresses : [container.address]
    const addresses = found?.map((address) => schemes[name] + address)
    if (addresses !== undefined) console.log(`export ${variables[name]}=${addresses.join()}`)
  }
  return 0
}

async function eachContainer({ services, directory }: Request, verb: 'stop' | 'kill' | 'restart'): Promise<void> {
  const containers = await Promise.all(services.map((name) => containerIn(directory, name)))
  await Promise.all(containers.map((container) => container && inDocker(verb, container)))
}

async function eachNode(request: Request, act: (node: Standing['nodes'][number]) => Promise<void>): Promise<void> {
  const standing = await Promise.all(request.services.map((name) => standingIn(request.directory, name)))
  const nodes = standing
    .flatMap((each) => each?.nodes ?? [])
    .filter(({ name }) => request.nodes.length === 0 || request.nodes.includes(name))
  await Promise.all(nodes.map(act))
}
