import { hasCode, PlatformError } from '@headrace/runtime'
import { type MemoryTransport, type Message, partitionOf, PublishError } from '@headrace/transport'
import type { Intake } from './intake.ts'

export interface MemoryIntakeNeeds {
  readonly transport: MemoryTransport
  readonly topic: string
  readonly maxMessages: number
}

/** Accepts into the memory of this process, up to a number of messages. */
export function memoryIntake({ transport, topic, maxMessages }: MemoryIntakeNeeds): Intake {
  return {
    durability: 'memory',
    async accept({ messages }) {
      // Checked for all at once: a part of them must not stay behind when the rest does not fit.
      const held = transport.size().messages
      if (held + messages.length > maxMessages) throw full(held, maxMessages)
      for (const [partition, part] of byPartition(messages)) {
        await transport.publish(topic, partition, part).catch(refused)
      }
    },
    async drain() {},
  }
}

function byPartition(messages: readonly Message[]): Iterable<readonly [number, readonly Message[]]> {
  const [first] = messages
  if (first !== undefined && messages.length === 1) return [[partitionOf(first.key), messages]]
  return Map.groupBy(messages, ({ key }) => partitionOf(key))
}

function full(held: number, maxMessages: number): PlatformError {
  const text = `the queue holds ${held} of ${maxMessages} messages (QUEUE_SIZE): nothing was accepted`
  return new PlatformError('QUEUE_FULL', text)
}

function refused(error: unknown): never {
  if (error instanceof PublishError && !hasCode(error, 'PUBLISH_REFUSED')) throw error
  throw new PlatformError('QUEUE_UNAVAILABLE', 'the queue took nothing', { cause: error })
}
