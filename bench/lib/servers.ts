import { startEmbeddedServer } from '@headrace/database'
import { temporaryDirectory } from '../../tools/services/temporary.ts'
import { startKafka, startRedis } from '../../tools/services/testing.ts'

/** What `headrace run` is told, by name. */
export type Environment = Readonly<Record<string, string>>

/** Kafka of the benchmark's own, on a free port, as the carrier. */
export async function ownKafka(stack: AsyncDisposableStack): Promise<Environment> {
  const { address } = stack.use(await startKafka())
  return { QUEUE_TYPE: 'kafka', KAFKA_BROKERS: address }
}

/** Redis of the benchmark's own, on a free port. */
export async function ownRedis(stack: AsyncDisposableStack): Promise<Environment> {
  const { address } = stack.use(await startRedis())
  return { REDIS_URL: `redis://${address}` }
}

/** The address of a database server of the benchmark's own, durable, on a free port. */
export async function ownDatabase(stack: AsyncDisposableStack): Promise<string> {
  const directory = await temporaryDirectory()
  stack.defer(() => directory.remove())
  return stack.use(await startEmbeddedServer({ dataDirectory: `${directory.path}/data` })).url
}
