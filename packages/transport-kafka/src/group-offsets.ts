import type { Admin } from '@platformatic/kafka'

/** How long offsets are gathered, in ms. */
const gatherMs = 1_000

/**
 * Tells the brokers where groups stand, for people and their tools: nothing here reads it. A failure loses a hint; the
 * next one follows.
 */
export class GroupOffsets {
  readonly #admin: Admin
  /** Group → topic → partition → the Kafka offset that is next. */
  readonly #gathered = new Map<string, Map<string, Map<number, number>>>()
  #timer: NodeJS.Timeout | undefined
  #telling: Promise<void> = Promise.resolve()

  constructor(admin: Admin) {
    this.#admin = admin
  }

  note(group: string, topic: string, partition: number, offset: number): void {
    const topics = this.#gathered.get(group) ?? new Map<string, Map<number, number>>()
    const partitions = topics.get(topic) ?? new Map<number, number>()
    this.#gathered.set(group, topics.set(topic, partitions.set(partition, offset)))
    this.#timer ??= setTimeout(() => this.#tell(), gatherMs)
  }

  /** Tells what is left. */
  async stop(): Promise<void> {
    if (this.#timer !== undefined) this.#tell()
    await this.#telling
  }

  #tell(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const groups = [...this.#gathered]
    this.#gathered.clear()
    this.#telling = this.#telling.then(async () => {
      await Promise.allSettled(groups.map(([groupId, topics]) => this.#alter(groupId, topics)))
    })
  }

  async #alter(groupId: string, noted: Map<string, Map<number, number>>): Promise<void> {
    const topics = [...noted].map(([name, partitions]) => ({
      name,
      partitionOffsets: [...partitions].map(([partition, offset]) => ({ partition, offset: BigInt(offset) })),
    }))
    await this.#admin.alterConsumerGroupOffsets({ groupId, topics })
  }
}
