import { Admin, type BaseOptions, Consumer, Producer } from '@platformatic/kafka'
import { BatchProducer } from './batch-producer.ts'
import type { KafkaSettings } from './options.ts'

export type KafkaConsumer = Consumer<Buffer, Buffer, Buffer, Buffer>
export type FetchResponse = Awaited<ReturnType<KafkaConsumer['fetch']>>

/** What all our clients have in common; none creates topics as a side effect. */
function common(settings: KafkaSettings): BaseOptions {
  const { clientId, brokers, tls, sasl, requestTimeoutMs } = settings
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    connectTimeout: Math.min(5_000, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    autocreateTopics: false,
    ...(tls !== undefined && { tls }),
    ...(sasl !== undefined && { sasl: { ...sasl } }),
  }
}

/** For topics, offsets and probes: on a connection of its own, so that no waiting fetch holds it up. */
export function adminClient(settings: KafkaSettings): Admin {
  return guarded(new Admin({ ...common(settings), retries: 2, retryDelay: 100 }))
}

const producing = { idempotent: true, retries: true, retryDelay: 200, repeatOnStaleMetadata: true } as const

/** Repeats within its sequence numbers until it is closed; whoever uses it sets the deadline. */
export function producerClient(settings: KafkaSettings): Producer {
  return guarded(new Producer({ ...common(settings), ...producing }))
}

/** The same for messages that are encoded already. */
export function batchProducer(settings: KafkaSettings): BatchProducer {
  return guarded(new BatchProducer({ ...common(settings), ...producing }))
}

/** Only fetches, and never joins a group. Repeating is the fetcher's. */
export function consumerClient(settings: KafkaSettings): KafkaConsumer {
  return guarded(new Consumer({ ...common(settings), groupId: `${settings.clientId}-reads`, retries: 0 }))
}

/** A connection may fail twice; its second error has no listener of the library's, and would end the process. */
function guarded<Client extends Admin | KafkaConsumer | Producer>(client: Client): Client {
  client.on('client:broker:connect', ({ connection }) => connection?.on('error', () => undefined))
  return client
}

/** Cuts the connections of a client and stops its repeating, whatever it waits for. */
export async function abandon(client: Admin | KafkaConsumer | Producer): Promise<void> {
  for (const [, connection] of client.connections) connection.socket?.destroy()
  await client.close().catch(() => undefined)
}
