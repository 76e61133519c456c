import { randomUUID } from 'node:crypto'
import { startWakeUps } from '@headrace/database'
import { openLog } from '@headrace/log'
import { logPartitions, partitionOf } from '@headrace/transport'
import { kafkaOptions, openBrokers } from '../../apps/platform/src/brokers.ts'
import { withDatabase } from '../../apps/platform/src/cli/storage.ts'
import { providersOf } from '../../apps/platform/src/queue-choice.ts'
import type { PlatformSettings } from '../../apps/platform/src/settings.ts'
import { producerClient } from '../../packages/transport-kafka/src/clients.ts'
import { kafkaSettings } from '../../packages/transport-kafka/src/options.ts'
import type { FakeMessage } from './fake-orders.ts'

/** Where orders go. Resolves once they are held there. */
export type Sink = (messages: readonly FakeMessage[]) => Promise<void>

/** Runs `work` with the carrier that order lookup reads by these settings. */
export async function withSink(settings: PlatformSettings, work: (sink: Sink, name: string) => Promise<void>) {
  // The first of several: each of them is read.
  const [provider = 'postgres'] = providersOf('orderLookup', settings, false)
  switch (provider) {
    case 'kafka':
      return withKafka(settings, work)
    case 'nats':
      return withNats(settings, work)
    default:
      return withLog(settings, work)
  }
}

/** What the log holds is the platform's to drop, by its own settings: not within 100 years, in ms. */
const retentionMs = 100 * 365 * 24 * 3_600_000

type Work = (sink: Sink, name: string) => Promise<void>

/** The log of the database in use: of the process that runs, of a server, or the embedded one for this command only. */
function withLog(settings: PlatformSettings, work: Work): Promise<void> {
  const { DATABASE_URL: databaseUrl, HEADRACE_DATA: dataDirectory, ORDERS_TOPIC: topic } = settings
  const note = (line: string) => console.error(line)
  return withDatabase({ databaseUrl, dataDirectory, note }, async (database) => {
    await using wakeUps = startWakeUps({ url: database.url })
    await wakeUps.connected()
    const limits = { retentionMs, messageLimitBytes: settings.MESSAGE_LIMIT_BYTES }
    await using log = await openLog({ database, wakeUps, onError: (error) => console.error(error) }, limits)
    await log.declareTopic(topic)
    const sink: Sink = async (messages) => {
      await log.inTransaction((tx) => {
        for (const { key, body } of messages) {
          tx.append({ topic, id: randomUUID(), key, type: 'order', headers: {}, body })
        }
      })
    }
    await work(sink, `the log in ${databaseUrl === undefined ? dataDirectory : 'the database server'}`)
  })
}

/** As any producer would: a key and JSON, no headers. */
async function withKafka(settings: PlatformSettings, work: Work): Promise<void> {
  const { ORDERS_TOPIC: topic } = settings
  await using brokers = openBrokers(settings)
  const partitions = await brokers.open('kafka').partitions(topic)
  const producer = producerClient(kafkaSettings(kafkaOptions(settings)))
  try {
    const sink: Sink = async (messages) => {
      const parts = Map.groupBy(messages, ({ key }) => partitionOf(key, partitions))
      const sends = [...parts].map(([partition, part]) =>
        producer.send({
          messages: part.map(({ key, body }) => ({
            topic,
            partition,
            key: Buffer.from(key),
            value: Buffer.from(body),
          })),
        }),
      )
      await Promise.all(sends)
    }
    await work(sink, `Kafka at ${settings.KAFKA_BROKERS.join(',')}`)
  } finally {
    await producer.close()
  }
}

async function withNats(settings: PlatformSettings, work: Work): Promise<void> {
  const { ORDERS_TOPIC: topic } = settings
  await using brokers = openBrokers(settings)
  const nats = brokers.open('nats')
  const partitions = Math.min(await nats.partitions(topic), logPartitions)
  const sink: Sink = async (messages) => {
    const parts = Map.groupBy(messages, ({ key }) => partitionOf(key, partitions))
    const toMessage = ({ key, body }: FakeMessage) => ({ id: randomUUID(), key, type: 'order', headers: {}, body })
    await Promise.all([...parts].map(([partition, part]) => nats.publish(topic, partition, part.map(toMessage))))
  }
  await work(sink, `NATS at ${settings.NATS_URL.join(',')}`)
}
