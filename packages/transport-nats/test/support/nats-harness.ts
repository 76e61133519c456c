import type { Transport } from '@headrace/transport'
import type { CarrierHarness } from '@headrace/transport/suite'
import { natsTransport } from '@headrace/transport-nats'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect as connectNats } from '@nats-io/transport-node'
import type { NatsServer } from './nats-server.ts'

/** JetStream on a server of the test file's own; `users` wraps what each user of it gets, to break it. */
export function natsHarness(
  server: () => NatsServer,
  users: (user: Transport) => Transport = (user) => user,
): CarrierHarness {
  return {
    name: 'nats',
    cannot: { bounded: 'its disk is the limit', interrupt: 'cut off by a killed server in a test of its own' },
    deadlineMs: 60_000,
    async open() {
      await using opening = new AsyncDisposableStack()
      const connection = await connectNats({ servers: [server().url.replace('nats://', '')] })
      opening.defer(() => connection.close())
      const manager = await jetstreamManager(connection)
      const open = opening.move()
      return {
        connect: async () => users(natsTransport({ servers: [server().url] })),
        async recreate(topic) {
          const { config } = await manager.streams.info(topic)
          await manager.streams.delete(topic)
          await manager.streams.add(config)
        },
        async trim(topic, partition, before) {
          await manager.streams.purge(topic, { filter: `${topic}.p.${partition}`, seq: before })
        },
        [Symbol.asyncDispose]: () => open.disposeAsync(),
      }
    },
  }
}
