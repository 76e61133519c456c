import { existsSync } from 'node:fs'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { programNamed, retried, run } from './run.ts'
import type { ServerNode } from './server-process.ts'

export const kafkaVersion = '4.4.0'
const bindingVersion = '2.25.5'
/** The same for every cluster, so that one formatted directory serves all. */
export const kafkaClusterId = Buffer.from('headrace-loopbac').toString('base64url')

export interface KafkaPorts {
  readonly client: number
  /** A second listener for clients. */
  readonly second?: number
  readonly controller: number
}

export interface KafkaPlan {
  readonly directory: string
  /** One entry a node. */
  readonly ports: readonly KafkaPorts[]
  /** Broker settings besides ours, as in server.properties. */
  readonly properties?: Readonly<Record<string, string>>
}

/** The nodes of a KRaft cluster, each broker and controller, ready to be started; fetches what is missing. */
export async function kafkaNodes(plan: KafkaPlan): Promise<ServerNode[]> {
  const java = await javaProgram()
  const classPath = `${await libraries()}/*`
  return Promise.all(
    plan.ports.map(async (_, index) => {
      const name = `kafka-${index + 1}`
      const directory = join(plan.directory, name)
      await prepare(plan, index, directory)
      const node: ServerNode = {
        name,
        directory,
        command: [java, ...javaOptions(directory), '-cp', classPath, 'kafka.Kafka', join(directory, 'properties')],
        ready: (said) => said.includes('Kafka Server started'),
      }
      return node
    }),
  )
}

function javaOptions(directory: string): string[] {
  return [
    '-Xmx512m',
    '-Xms128m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Xshare:auto',
    `-Dlog4j2.configurationFile=${join(directory, 'log4j2.properties')}`,
  ]
}

async function prepare(plan: KafkaPlan, index: number, directory: string): Promise<void> {
  const data = join(directory, 'data')
  await mkdir(directory, { recursive: true })
  if (!existsSync(join(data, 'meta.properties'))) {
    await rm(data, { recursive: true, force: true })
    await cp(await formatted(index + 1), data, { recursive: true })
  }
  await writeFile(join(directory, 'properties'), properties(plan, index, data))
  await writeFile(join(directory, 'log4j2.properties'), logging)
}

/** A node's settings, as in server.properties. */
export function kafkaSettings(plan: KafkaPlan, index: number, data: string): Readonly<Record<string, string>> {
  const { client, second, controller } = plan.ports[index] as KafkaPorts // by whoever counts the nodes
  const replicas = String(Math.min(plan.ports.length, 3))
  const clients = [`CLIENT://127.0.0.1:${client}`, ...(second === undefined ? [] : [`SECOND://127.0.0.1:${second}`])]
  return {
    'process.roles': 'broker,controller',
    'node.id': String(index + 1),
    'controller.quorum.voters': plan.ports.map((ports, at) => `${at + 1}@127.0.0.1:${ports.controller}`).join(),
    listeners: [...clients, `CONTROLLER://127.0.0.1:${controller}`].join(),
    'advertised.listeners': clients.join(),
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,SECOND:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'CLIENT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': data,
    'num.partitions': '16',
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'log.cleaner.dedupe.buffer.size': '4194304',
    'log.index.size.max.bytes': '1048576',
    'num.network.threads': '2',
    'num.io.threads': '4',
    ...plan.properties,
  }
}

function properties(plan: KafkaPlan, index: number, data: string): string {
  return Object.entries(kafkaSettings(plan, index, data))
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/** Warnings, and the one line that says that a broker serves. */
const logging = `
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
`

async function javaProgram(): Promise<string> {
  const { JAVA_HOME } = process.env
  const java = JAVA_HOME ? join(JAVA_HOME, 'bin', 'java') : await programNamed('java')
  if (java === undefined) throw new Error('Kafka needs Java 17 or newer (Debian: apt-get install default-jre-headless)')
  return java
}

/** The folder of Kafka's jars: those of KAFKA_HOME, else from Maven. */
async function libraries(): Promise<string> {
  const { KAFKA_HOME } = process.env
  if (KAFKA_HOME) return join(KAFKA_HOME, 'libs')
  return join(await cached(`kafka-${kafkaVersion}`, download), 'libs')
}

async function download(folder: string): Promise<void> {
  const maven = await programNamed('mvn')
  if (maven === undefined)
    throw new Error('Kafka is fetched with Maven (Debian: apt-get install maven), or set KAFKA_HOME')
  await writeFile(join(folder, 'pom.xml'), projectModel)
  const args = ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${join(folder, 'libs')}`]
  await retried(() => run(maven, args, { cwd: folder }))
}

const projectModel = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>headrace</groupId><artifactId>kafka-server</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${kafkaVersion}</version>
      <exclusions><exclusion><groupId>org.apache.kafka</groupId><artifactId>kafka-tools-api</artifactId></exclusion></exclusions>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>${bindingVersion}</version>
    </dependency>
  </dependencies>
</project>
`

/** Runs one of Kafka's own programs to its end. */
async function kafkaProgram(mainClass: string, args: readonly string[]): Promise<void> {
  const java = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${await libraries()}/*`, mainClass]
  await run(await javaProgram(), [...java, ...args])
}

/** The data directory of a node that has never run. Formatting takes a second, copying none. */
function formatted(nodeId: number): Promise<string> {
  return cached(`kafka-${kafkaVersion}-node-${nodeId}`, async (folder) => {
    const config = join(folder, '..', `kafka-${kafkaVersion}-node-${nodeId}.properties`)
    const ports = Array.from({ length: nodeId }, (_, at) => ({ client: 1 + at, controller: 101 + at }))
    await writeFile(config, properties({ directory: folder, ports }, nodeId - 1, folder))
    await kafkaProgram('kafka.tools.StorageTool', ['format', '-t', kafkaClusterId, '-c', config])
    await rm(config)
  })
}
