import { kafkaNodes } from './kafka.ts'
import { natsNodes } from './nats.ts'
import { freePort } from './ports.ts'
import { redisNode } from './redis.ts'
import { killNode, pauseNode, type ServerNode, signalNode, startNode, stopNode } from './server-process.ts'
import { temporaryDirectory } from './temporary.ts'

export { brokerSizes, isWholeMatrix, wholeOrFirst } from '../test/matrix.ts'
export { freePort }

/** What a test does to a server, or to one of its nodes. Addresses stay the same through all of it. */
export interface Controls {
  /** Starts what does not run, and waits until it serves. */
  start(): Promise<void>
  /** Ends it in an orderly way; its data stay. */
  stop(): Promise<void>
  /** Stops and starts. */
  restart(): Promise<void>
  /** Ends it as a crash would (SIGKILL); its data stay. */
  kill(): Promise<void>
  /** Holds it still (SIGSTOP): connections stay open and nobody answers. */
  pause(): void
  /** Lets it go on after `pause`. */
  resume(): void
}

export interface TestNode extends Controls {
  readonly name: string
  /** host:port */
  readonly address: string
}

/** Real servers of a test's own, on free ports and in a directory that vanishes with them. */
export interface TestService extends Controls, AsyncDisposable {
  /** host:port; of several nodes a list, divided by commas. */
  readonly address: string
  readonly nodes: readonly TestNode[]
}

export interface TestServiceOptions {
  /** Default 1. */
  readonly nodes?: number
  /** Where its directory is made; default in memory, where there is room. A measurement wants a disk. */
  readonly parent?: string
}

export interface TestKafkaOptions extends TestServiceOptions {
  /** Broker settings besides the usual, as in server.properties. */
  readonly properties?: Readonly<Record<string, string>>
}

export interface TestSettingsOptions extends TestServiceOptions {
  /** Lines of the server's configuration besides the usual. */
  readonly settings?: string
}

/** Starts Kafka (KRaft). */
export async function startKafka(options: TestKafkaOptions = {}): Promise<TestService> {
  const { nodes = 1, properties = {}, parent } = options
  const ports = await Promise.all(
    Array.from({ length: nodes }, async () => ({ client: await freePort(), controller: await freePort() })),
  )
  const plan = (directory: string) => kafkaNodes({ directory, ports, properties })
  return started(
    plan,
    ports.map(({ client }) => client),
    parent,
  )
}

/** Starts NATS with JetStream, which syncs before it acknowledges. */
export async function startNats(options: TestSettingsOptions = {}): Promise<TestService> {
  const { nodes = 1, settings = '', parent } = options
  const ports = await Promise.all(
    Array.from({ length: nodes }, async () => ({ client: await freePort(), cluster: await freePort() })),
  )
  const plan = (directory: string) => natsNodes({ directory, ports, settings })
  return started(
    plan,
    ports.map(({ client }) => client),
    parent,
  )
}

/** Starts Redis. */
export async function startRedis(options: Omit<TestSettingsOptions, 'nodes'> = {}): Promise<TestService> {
  const port = await freePort()
  return started(
    async (directory) => [await redisNode({ directory, port, settings: options.settings ?? '' })],
    [port],
    options.parent,
  )
}

/**
 * The Kafka that all tests of a run share: from HEADRACE_TEST_KAFKA, which the test runner sets, else one that the
 * first test of this process starts and that ends with the process.
 */
export function testKafka(): Promise<string> {
  return shared('HEADRACE_TEST_KAFKA', startKafka)
}

/** The same for NATS and HEADRACE_TEST_NATS. */
export function testNats(): Promise<string> {
  return shared('HEADRACE_TEST_NATS', startNats)
}

/** The same for Redis and HEADRACE_TEST_REDIS. */
export function testRedis(): Promise<string> {
  return shared('HEADRACE_TEST_REDIS', startRedis)
}

const sharedServices = new Map<string, Promise<TestService>>()

async function shared(variable: string, start: () => Promise<TestService>): Promise<string> {
  const given = process.env[variable]
  if (given) return given
  const service = sharedServices.get(variable) ?? start()
  sharedServices.set(variable, service)
  return (await service).address
}

async function started(
  plan: (directory: string) => Promise<ServerNode[]>,
  ports: readonly number[],
  parent?: string,
): Promise<TestService> {
  const directory = await temporaryDirectory(parent)
  try {
    const planned = await plan(directory.path)
    const nodes = planned.map((node, index) => nodeControls(node, `127.0.0.1:${ports[index]}`))
    const all = controlsOf(nodes)
    await all.start()
    let removed: Promise<void> | undefined
    const dispose = () => (removed ??= directory.remove())
    return { ...all, nodes, address: nodes.map(({ address }) => address).join(), [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await directory.remove()
    throw error
  }
}

function nodeControls(node: ServerNode, address: string): TestNode {
  const { name, directory } = node
  const start = () => startNode(node, 'process')
  const stop = () => stopNode(directory)
  return {
    name,
    address,
    start,
    stop,
    restart: () => stop().then(start),
    kill: () => killNode(directory),
    pause: () => pauseNode(directory),
    resume: () => void signalNode(directory, 'SIGCONT'),
  }
}

function controlsOf(nodes: readonly Controls[]): Controls {
  const each = (act: (node: Controls) => Promise<void>) => Promise.all(nodes.map(act)).then(() => undefined)
  return {
    start: () => each((node) => node.start()),
    stop: () => each((node) => node.stop()),
    restart: async () => {
      await each((node) => node.stop())
      await each((node) => node.start())
    },
    kill: () => each((node) => node.kill()),
    pause: () => nodes.forEach((node) => void node.pause()),
    resume: () => nodes.forEach((node) => void node.resume()),
  }
}
