import { Admin, type BaseOptions, Consumer, Producer } from '@platformatic/kafka'
import type { KafkaSettings } from './options.ts'

export type KafkaProducer = Producer<Buffer, Buffer, string, string>
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

/** Repeats within its sequence numbers until it is closed; whoever uses it sets the deadline. */
export function producerClient(settings: KafkaSettings): KafkaProducer {
  const header = headerNames()
  const serializers = { headerKey: header, headerValue: (value?: string) => Buffer.from(value ?? '') }
  const producing = { idempotent: true, retries: true, retryDelay: 200, repeatOnStaleMetadata: true, serializers }
  return guarded(new Producer<Buffer, Buffer, string, string>({ ...common(settings), ...producing }))
}

/** Only fetches, and never joins a group. Repeating is the fetcher's. */
export function consumerClient(settings: KafkaSettings): KafkaConsumer {
  return guarded(new Consumer({ ...common(settings), groupId: `${settings.clientId}-reads`, retries: 0 }))
}

/** Most messages have the same few headers. */
const headerNamesKept = 200

function headerNames(): (name?: string) => Buffer {
  const known = new Map<string, Buffer>()
  return (name = '') => {
    const encoded = known.get(name) ?? Buffer.from(name)
    if (known.size < headerNamesKept) known.set(name, encoded)
    return encoded
  }
}

/** A connection may fail twice; its second error has no listener of the library's, and would end the process. */
function guarded<Client extends Admin | KafkaConsumer | KafkaProducer>(client: Client): Client {
  client.on('client:broker:connect', ({ connection }) => connection?.on('error', () => undefined))
  return client
}

/** Cuts the connections of a client and stops its repeating, whatever it waits for. */
export async function abandon(client: Admin | KafkaConsumer | KafkaProducer): Promise<void> {
  for (const [, connection] of client.connections) connection.socket?.destroy()
  await client.close().catch(() => undefined)
}
