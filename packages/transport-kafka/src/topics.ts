import { PlatformError, sleep } from '@headrace/runtime'
import { logPartitions } from '@headrace/transport'
import type { Admin } from '@platformatic/kafka'
import { saysError, saysMissing, unavailable } from './failures.ts'
import type { KafkaSettings } from './options.ts'

/** A topic as the cluster last told of it. */
export interface KnownTopic {
  /** Its incarnation: a topic made anew has another. */
  readonly id: string
  /** The broker that leads each partition; -1 while there is none. */
  readonly leaders: readonly number[]
  readonly seenAtMs: number
}

/** So many ms we leave to whoever deletes a topic to make it again; then we do. */
const graceMs = 2_000
/** Longest wait in ms for the leaders of a new topic. */
const leadersMs = 15_000
const pauseMs = 50

/** What is known of topics; a topic that does not exist is made when it is first asked for. */
export class Topics {
  readonly #admin: Admin
  readonly #settings: KafkaSettings
  readonly #known = new Map<string, KnownTopic>()
  readonly #asking = new Map<string, Promise<KnownTopic>>()
  /** Topics that were there and are no more, since when. */
  readonly #missing = new Map<string, number>()
  /** Topics that were seen in the life of this driver. */
  readonly #seen = new Set<string>()

  constructor(admin: Admin, settings: KafkaSettings) {
    this.#admin = admin
    this.#settings = settings
  }

  /** What was last heard of a topic, without asking. */
  known(topic: string): KnownTopic | undefined {
    return this.#known.get(topic)
  }

  /**
   * A topic as it was at most `maxAgeMs` ago; makes it where it does not exist. Throws `QUEUE_UNAVAILABLE` when the
   * cluster does not answer, cannot make it, or somebody has just deleted it.
   */
  async get(topic: string, maxAgeMs = Number.POSITIVE_INFINITY): Promise<KnownTopic> {
    const known = this.#known.get(topic)
    if (known !== undefined && performance.now() - known.seenAtMs <= maxAgeMs) return known
    const asking = this.#asking.get(topic) ?? this.#ask(topic).finally(() => this.#asking.delete(topic))
    this.#asking.set(topic, asking)
    return asking
  }

  /** Forgets where a topic is: its next use asks. */
  forget(topic: string): void {
    this.#known.delete(topic)
  }

  async #ask(topic: string): Promise<KnownTopic> {
    this.#known.delete(topic)
    try {
      const found = (await this.#lookUp(topic)) ?? (await this.#make(topic))
      this.#known.set(topic, found)
      this.#seen.add(topic)
      this.#missing.delete(topic)
      return found
    } catch (error) {
      throw unavailable(`topic ${topic}`, error)
    }
  }

  async #lookUp(topic: string): Promise<KnownTopic | undefined> {
    try {
      const { topics } = await this.#admin.metadata({ topics: [topic], forceUpdate: true, retries: 0 })
      const found = topics.get(topic)
      if (found === undefined) return undefined
      const leaders = found.partitions.map(({ leader }) => leader)
      return { id: found.id, leaders, seenAtMs: performance.now() }
    } catch (error) {
      if (saysMissing(error)) return undefined
      throw error
    }
  }

  async #make(topic: string): Promise<KnownTopic> {
    const since = this.#missing.get(topic) ?? performance.now()
    this.#missing.set(topic, since)
    if (this.#seen.has(topic) && performance.now() - since < graceMs) {
      throw new PlatformError('QUEUE_UNAVAILABLE', `topic ${topic} was deleted`)
    }
    await this.#create(topic)
    const deadline = performance.now() + leadersMs
    while (performance.now() < deadline) {
      const found = await this.#lookUp(topic)
      if (found?.leaders.every((leader) => leader >= 0)) return found
      await sleep(pauseMs)
    }
    throw new PlatformError('QUEUE_UNAVAILABLE', `topic ${topic} has no leaders within ${leadersMs} ms`)
  }

  async #create(topic: string): Promise<void> {
    const { replicationFactor, retentionMs } = this.#settings
    const configs = [
      ...(retentionMs === undefined ? [] : [{ name: 'retention.ms', value: String(retentionMs) }]),
      // Without it a single copy would confirm while the others are away, and its machine could be lost.
      ...(replicationFactor === 1 ? [] : [{ name: 'min.insync.replicas', value: '2' }]),
    ]
    try {
      const topics = [{ topic, partitions: logPartitions, replicas: replicationFactor }]
      await this.#admin.createTopics({ topics, configs })
    } catch (error) {
      if (saysError(error, 'TOPIC_ALREADY_EXISTS')) return
      if (!saysError(error, 'INVALID_REPLICATION_FACTOR')) throw error
      const text = `topic ${topic} cannot have ${replicationFactor} copies: the cluster has fewer brokers`
      throw new PlatformError('QUEUE_UNAVAILABLE', text, { cause: error })
    }
  }
}
