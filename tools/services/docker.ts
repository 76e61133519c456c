import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep } from '@headrace/runtime'
import { kafkaClusterId, kafkaSettings, kafkaVersion } from './kafka.ts'
import { natsVersion } from './nats.ts'
import { freePort } from './ports.ts'
import { programNamed, run } from './run.ts'
import { answersAt, type ServiceName, type Wanted } from './standing.ts'

/** A service that an engine runs for us; it stays between `down` and `up`, with its data. */
export interface Container {
  readonly name: string
  readonly address: string
}

const images = {
  kafka: `apache/kafka:${kafkaVersion}`,
  nats: `nats:${natsVersion}`,
  redis: 'redis:7.0.15',
} as const satisfies Record<ServiceName, string>

/** Longest wait in ms for an engine that does not answer, and for a service that does not serve. */
const engineMs = 5_000
const startMs = 90_000
const pauseMs = 100

/** Tells whether Docker can be used here: its program, an engine that answers, and nobody who forbids it. */
export async function hasEngine(): Promise<boolean> {
  if (process.env.SERVICES_DOCKER === 'off' || (await programNamed('docker')) === undefined) return false
  return run('docker', ['info'], { timeoutMs: engineMs }).then(
    () => true,
    () => false,
  )
}

/** The container that was made for a service in this directory. */
export async function containerIn(directory: string, service: ServiceName): Promise<Container | undefined> {
  const text = await readFile(recordOf(directory, service), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Container) // written by us
}

/** Starts the container of a service, made when there is none, and waits until it serves. */
export async function containerUp(wanted: Wanted): Promise<Container> {
  const known = await containerIn(wanted.directory, wanted.name)
  if (known !== undefined && (await containerState(known)) !== 'missing') {
    await inDocker('start', known)
    return serving(known)
  }
  await mkdir(wanted.directory, { recursive: true })
  const port = wanted.port === 0 ? await freePort() : wanted.port
  const container = { name: `headrace-${wanted.name}-${port}`, address: `127.0.0.1:${port}` }
  const labels = ['--label', `headrace.directory=${wanted.directory}`, '--label', `headrace.service=${wanted.name}`]
  await run('docker', ['run', '--detach', '--name', container.name, ...labels, ...(await argumentsOf(wanted, port))])
  await writeFile(recordOf(wanted.directory, wanted.name), JSON.stringify(container))
  return serving(container)
}

/** Ends, kills or starts what was made before. */
export async function inDocker(verb: 'start' | 'stop' | 'kill' | 'restart', { name }: Container): Promise<void> {
  await run('docker', [verb, name])
}

/** What the engine says of it: `running`, `exited` …; `missing` when it knows it not. */
export async function containerState({ name }: Container): Promise<string> {
  return run('docker', ['inspect', '--format', '{{.State.Status}}', name]).then(
    (said) => said.trim(),
    () => 'missing',
  )
}

async function serving(container: Container): Promise<Container> {
  for (const deadline = performance.now() + startMs; !(await answersAt(container.address)); await sleep(pauseMs)) {
    if (performance.now() > deadline) {
      throw new Error(`${container.name} did not serve within ${startMs / 1000} s: docker logs ${container.name}`)
    }
  }
  return container
}

/** Ports on loopback only, the image, and what its program is told. */
async function argumentsOf({ name, directory, second }: Wanted, port: number): Promise<string[]> {
  const publish = (at: number) => ['--publish', `127.0.0.1:${at}:${at}`]
  switch (name) {
    case 'kafka': {
      const other = second === 0 ? await freePort() : second
      const ports = { client: port, controller: controllerPort, ...(other !== undefined && { second: other }) }
      const variables = Object.entries(kafkaSettings({ directory: '', ports: [ports] }, 0, '/var/lib/kafka/data'))
      const own = variables.flatMap(([key, value]) => [
        '--env',
        `KAFKA_${key.toUpperCase().replaceAll('.', '_')}=${outside(key, value)}`,
      ])
      const published = [...publish(port), ...(other === undefined ? [] : publish(other))]
      return [...published, '--env', `CLUSTER_ID=${kafkaClusterId}`, ...own, images.kafka]
    }
    case 'nats': {
      const settings = join(directory, 'nats-container.conf')
      await writeFile(settings, `port: ${port}\njetstream { store_dir: "/data", sync_interval: always }\n`)
      return [...publish(port), '--volume', `${settings}:/nats.conf:ro`, images.nats, '-c', '/nats.conf']
    }
    case 'redis':
      return [...publish(port), images.redis, 'redis-server', '--port', `${port}`, '--save', '', '--appendonly', 'no']
    default:
      return name satisfies never
  }
}

/** Only seen inside the container. */
const controllerPort = 9_193

/** Inside its container it listens on every address; only loopback's ports lead there. */
function outside(key: string, value: string): string {
  return key === 'listeners' ? value.replaceAll('//127.0.0.1:', '//0.0.0.0:') : value
}

function recordOf(directory: string, service: ServiceName): string {
  return join(directory, `${service}-container.json`)
}
