import { sleep } from '@headrace/runtime'
import type { Transport } from '@headrace/transport'
import { BatchProducer } from '../../src/batch-producer.ts'
import { abandon } from '../../src/clients.ts'
import { produced } from '../../src/records.ts'

/** How long the broken driver waits for an answer, in ms. */
const patienceMs = 1_000

/** A driver that takes silence for consent. */
export function takingSilenceForConsent(driver: Transport, broker: string): Transport {
  const producer = new BatchProducer({ clientId: 'mutant', bootstrapBrokers: [broker], retries: 0 })
  return {
    name: driver.name,
    durability: driver.durability,
    isLog: false,
    partitions: (topic) => driver.partitions(topic),
    async publish(topic, partition, messages) {
      await driver.partitions(topic)
      const sent = producer.send({ messages: produced(messages, { topic, partition }), acks: -1 })
      // What fails after it was taken for confirmed is nobody's concern here.
      sent.catch(() => undefined)
      await Promise.race([sent, sleep(patienceMs)])
    },
    held: (topic, partition) => driver.held(topic, partition),
    read: (topic, partition, from, options) => driver.read(topic, partition, from, options),
    probe: (signal) => driver.probe(signal),
    async stop() {
      await abandon(producer)
      await driver.stop()
    },
    [Symbol.asyncDispose]() {
      return this.stop()
    },
  }
}
