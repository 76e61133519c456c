import { setTimeout as pause } from 'node:timers/promises'
import { logPartitions, type Transport } from '@headrace/transport'
import type { CarrierHarness } from '@headrace/transport/suite'
import { Admin } from '@platformatic/kafka'
import { testKafka } from '../../../../tools/services/testing.ts'
import { type KafkaTransportOptions, kafkaTransport } from '../../src/index.ts'

/** What people do to a cluster from outside. */
export interface Administration extends AsyncDisposable {
  readonly admin: Admin
  make(topic: string, partitions?: number): Promise<void>
  remove(topic: string): Promise<void>
  /** Deletes a topic and makes it anew. */
  recreate(topic: string, partitions?: number): Promise<void>
  /** Cuts off what a partition holds before a Kafka offset. */
  trim(topic: string, partition: number, before: number): Promise<void>
}

/** A topic that was just deleted is not at once gone everywhere. */
const attempts = 50

export function administer(brokers: string): Administration {
  const admin = new Admin({ clientId: 'test-admin', bootstrapBrokers: brokers.split(','), retries: 5, retryDelay: 100 })
  const make = async (topic: string, partitions = logPartitions) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await admin.createTopics({ topics: [topic], partitions, replicas: 1 })
        return
      } catch (error) {
        if (attempt === attempts) throw error
        await pause(50)
      }
    }
  }
  const remove = (topic: string) => admin.deleteTopics({ topics: [topic] })
  return {
    admin,
    make,
    remove,
    async recreate(topic, partitions) {
      await remove(topic)
      await make(topic, partitions)
    },
    async trim(topic, partition, before) {
      await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition, offset: BigInt(before) }] }] })
    },
    [Symbol.asyncDispose]: async () => void (await admin.close()),
  }
}

export interface KafkaHarnessOptions {
  /** Default: the broker that the run's tests share. */
  readonly brokers?: () => Promise<string>
  /** Partitions of the topics, made beforehand as others would; default: the driver makes them. */
  readonly partitions?: number
  /** Wraps what each user of the carrier gets, to break it. */
  readonly users?: (user: Transport) => Transport
  readonly transport?: Partial<KafkaTransportOptions>
}

/** The driver on a real broker. */
export function kafkaHarness(options: KafkaHarnessOptions = {}): CarrierHarness {
  const { partitions, users = (user: Transport) => user } = options
  return {
    name: partitions === undefined ? 'kafka' : `kafka with ${partitions} partitions`,
    deadlineMs: 30_000,
    cannot: {
      bounded: 'its disk is the limit',
      interrupt: 'what becomes of a publish under way is proven on a broker of its own',
      ...(partitions !== undefined && { spread: 'its topics have fewer partitions' }),
    },
    async open() {
      const brokers = await (options.brokers ?? testKafka)()
      await using opening = new AsyncDisposableStack()
      const administration = opening.use(administer(brokers))
      const topics = new Set<string>()
      const open = opening.move()
      return {
        connect: async () =>
          noting(users(kafkaTransport({ brokers: brokers.split(','), ...options.transport })), topics),
        ...(partitions !== undefined && {
          declareTopic: async (topic: string) => {
            topics.add(topic)
            await administration.make(topic, partitions)
          },
        }),
        recreate: (topic) => administration.recreate(topic, partitions),
        trim: (topic, partition, before) => administration.trim(topic, partition, before - 1),
        async [Symbol.asyncDispose]() {
          for (const topic of topics) await administration.remove(topic).catch(() => undefined)
          await open.disposeAsync()
        },
      }
    },
  }
}

/** Remembers the topics that a user asks for, so that they can be removed. */
function noting(user: Transport, topics: Set<string>): Transport {
  const partitions = user.partitions.bind(user)
  user.partitions = (topic) => {
    topics.add(topic)
    return partitions(topic)
  }
  return user
}
