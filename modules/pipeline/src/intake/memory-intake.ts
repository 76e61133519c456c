import { hasCode, PlatformError } from '@headrace/runtime'
import { type MemoryTransport, type Message, PublishError, partitionOf } from '@headrace/transport'
import type { Backlog } from '../backlog.ts'
import type { Intake } from './intake.ts'

export interface MemoryIntakeNeeds {
  readonly transport: MemoryTransport
  readonly topic: string
  /** Counts what waits for workers, too: that has left the carrier. */
  readonly backlog: Backlog
}

/** Accepts into the memory of this process, up to the backlog's capacity. */
export function memoryIntake({ transport, topic, backlog }: MemoryIntakeNeeds): Intake {
  async function publish(messages: readonly Message[]): Promise<void> {
    const parts = byPartition(messages)
    // A part must not stay behind when the rest does not fit. From here to the last one nothing else runs.
    if (parts.length > 1) transport.requireRoom(messages)
    await Promise.all(parts.map(([partition, part]) => transport.publish(topic, partition, part)))
  }

  return {
    durability: 'memory',
    async accept({ messages }) {
      const held = Math.max(backlog.estimate, transport.size().messages)
      if (held + messages.length > backlog.capacity) throw full(held, backlog.capacity)
      backlog.added(messages.length)
      try {
        await publish(messages)
      } catch (error) {
        backlog.removed(messages.length)
        throw refusal(error)
      }
    },
    async drain() {},
  }
}

function byPartition(messages: readonly Message[]): (readonly [number, readonly Message[]])[] {
  const [first] = messages
  if (first !== undefined && messages.length === 1) return [[partitionOf(first.key), messages]]
  return [...Map.groupBy(messages, ({ key }) => partitionOf(key))]
}

function full(held: number, capacity: number): PlatformError {
  return new PlatformError(
    'QUEUE_FULL',
    `the queue holds ${held} of ${capacity} messages (QUEUE_SIZE): nothing was accepted`,
  )
}

function refusal(error: unknown): unknown {
  if (error instanceof PublishError && !hasCode(error, 'PUBLISH_REFUSED')) return error
  return new PlatformError('QUEUE_UNAVAILABLE', 'the queue took nothing', { cause: error })
}
