import type { Transport } from '@headrace/transport'
import type { NatsConnection } from '@nats-io/transport-node'
import { encoded } from '../../src/message.ts'

/** A driver that takes having sent for having been heard, as publishing without JetStream does. */
export function coreTransport(driver: Transport, connection: NatsConnection): Transport {
  return {
    name: driver.name,
    durability: driver.durability,
    isLog: false,
    partitions: (topic) => driver.partitions(topic),
    async publish(topic, partition, messages) {
      await driver.held(topic, partition).catch(() => undefined)
      for (const message of messages) {
        const { headers, body } = encoded(topic, message)
        connection.publish(`${topic}.p.${partition}`, body, { headers })
      }
    },
    held: (topic, partition) => driver.held(topic, partition),
    read: (topic, partition, from, options) => driver.read(topic, partition, from, options),
    probe: (signal) => driver.probe(signal),
    stop: () => driver.stop(),
    [Symbol.asyncDispose]: () => driver.stop(),
  }
}
