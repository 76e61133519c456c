import { PlatformError } from '@headrace/runtime'
import { type MemoryTransport, type MemoryTransportOptions, memoryTransport } from '../memory.ts'
import { PublishError, type Transport } from '../transport.ts'
import type { CarrierHarness } from './harness.ts'

/** The memory carrier; `users` wraps what each user of it gets, to break it. */
export function memoryHarness(
  options: MemoryTransportOptions = {},
  users: (user: Transport) => Transport = (user) => user,
): CarrierHarness {
  return {
    name: 'memory',
    cannot: {
      keep: 'it frees what every known group has passed',
      interrupt: 'a publish is done before it returns',
    },
    async open() {
      const memory = memoryTransport({ maxMessages: 20_000, ...options })
      return {
        connect: async () => users(userOf(memory)),
        recreate: async (topic) => memory.recreate(topic),
        async trim(topic, partition, before) {
          const { signal } = new AbortController()
          for await (const { incarnation } of memory.read(topic, partition, { kind: 'beginning' }, { signal })) {
            memory.passed('trim', topic, partition, { incarnation, number: before })
            return
          }
        },
        [Symbol.asyncDispose]: () => memory.stop(),
      }
    },
  }
}

/** One of several users of the same memory, which goes on when this one stops. */
function userOf(memory: MemoryTransport): Transport {
  const stopping = new AbortController()
  const { signal } = stopping
  return {
    name: memory.name,
    durability: memory.durability,
    isLog: memory.isLog,
    partitions: (topic) => memory.partitions(topic),
    publish: async (topic, partition, messages) => {
      if (signal.aborted) throw new PublishError('refused', 'this user has stopped', { code: 'QUEUE_UNAVAILABLE' })
      await memory.publish(topic, partition, messages)
    },
    incarnationOf: (topic) => memory.incarnationOf(topic),
    held: (topic, partition) => memory.held(topic, partition),
    read: (topic, partition, from, options) =>
      memory.read(topic, partition, from, { ...options, signal: AbortSignal.any([signal, options.signal]) }),
    passed: (group, topic, partition, next) => memory.passed(group, topic, partition, next),
    probe: async (probing) => {
      if (signal.aborted) throw new PlatformError('QUEUE_UNAVAILABLE', 'this user has stopped')
      await memory.probe(probing)
    },
    async stop() {
      stopping.abort()
    },
    [Symbol.asyncDispose]() {
      return this.stop()
    },
  }
}
