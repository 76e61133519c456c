import type { Transport } from '@headrace/transport'
import type { CarrierHarness } from '@headrace/transport/suite'
import { natsTransport } from '@headrace/transport-nats'
import { administer } from './administration.ts'

/** JetStream on a real server; `users` wraps what each user of it gets, to break it. */
export function natsHarness(
  address: () => Promise<string>,
  users: (user: Transport) => Transport = (user) => user,
): CarrierHarness {
  return {
    name: 'nats',
    cannot: {
      bounded: 'its disk is the limit; a limit on the stream is tried apart',
      interrupt: 'servers are killed and held still in tests of their own',
    },
    deadlineMs: 60_000,
    async open() {
      const server = await address()
      const administration = await administer(server)
      const { streams } = administration.manager
      return {
        connect: async () => users(natsTransport({ servers: server.split(',') })),
        recreate: (topic) => administration.recreate(topic),
        async trim(topic, partition, before) {
          await streams.purge(topic, { filter: `${topic}.p.${partition}`, seq: before })
        },
        [Symbol.asyncDispose]: () => administration[Symbol.asyncDispose](),
      }
    },
  }
}
