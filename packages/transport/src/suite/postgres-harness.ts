import { databaseMigrations, migrate, openDatabase } from '@headrace/database'
import { testDatabase } from '@headrace/database/testing'
import { logMigrations } from '@headrace/log'
import type { OnBackgroundError } from '@headrace/runtime'
import { postgresTransport } from '../postgres.ts'
import type { CarrierHarness } from './harness.ts'
import { openNode } from './node.ts'

/** The log as its own carrier, on a database of its own for each promise. */
export function postgresHarness(onError: OnBackgroundError): CarrierHarness {
  return {
    name: 'postgres',
    isLog: true,
    cannot: {
      publish: 'appending is publishing; what append promises is proven with the log',
      bounded: 'the database grows; the backlog is limited where messages are accepted',
      recreate: 'a log is never made anew, only restored, which is proven with the log',
      interrupt: 'there is no publish to cut off; a lost answer to COMMIT is proven with the database',
    },
    async open() {
      await using opening = new AsyncDisposableStack()
      const { url } = opening.use(await testDatabase({ name: 'carrier' }))
      const database = opening.use(openDatabase({ url, maxConnections: 2 }))
      await migrate(database, [databaseMigrations, logMigrations])
      const producer = opening.use(await openNode(url, onError))
      const open = opening.move()
      let users = 0
      let trimmed = false
      return {
        async connect() {
          users += 1
          // Some in the producer's process, which has the log's end in memory, some in others.
          const beside = users % 2 === 1 && !trimmed
          return postgresTransport((beside ? producer : open.use(await openNode(url, onError))).log)
        },
        declareTopic: (topic) => producer.log.declareTopic(topic),
        append: (topic, messages) =>
          producer.log.inTransaction((tx) => {
            for (const message of messages) tx.append({ ...message, topic })
          }),
        async trim(topic, partition, before) {
          const text = 'delete from headrace.log where topic = $1 and partition = $2 and "offset" < $3'
          await database.query({ text, values: [topic, partition, before] })
          trimmed = true
        },
        [Symbol.asyncDispose]: () => open.disposeAsync(),
      }
    },
  }
}
