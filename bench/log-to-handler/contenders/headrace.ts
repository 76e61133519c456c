import { databaseMigrations, migrate, openDatabase, startWakeUps } from '@headrace/database'
import { inboxMigrations, startConsumer, startMembership } from '@headrace/inbox'
import { type NewMessage, logMigrations, openLog } from '@headrace/log'
import { postgresTransport } from '@headrace/transport'
import { type Contender, effectTable, payload } from '../contender.ts'

const body = Buffer.from(JSON.stringify(payload))
const topic = 'bench'
const onError = (error: unknown, name: string) => process.stderr.write(`${name}: ${String(error)}\n`)

export const headrace: Contender = {
  name: 'headrace',
  atomic: true,
  async start({ url, effect, mode, onHandled }) {
    await using stack = new AsyncDisposableStack()
    const database = stack.use(openDatabase({ url, maxConnections: 10 }))
    await migrate(database, [databaseMigrations, logMigrations, inboxMigrations])
    await database.query({ text: effectTable })
    const wakeUps = stack.use(startWakeUps({ url }))
    const log = stack.use(await openLog({ database, wakeUps, onError }))
    await log.declareTopic(topic)
    const membership = stack.use(startMembership({ database, wakeUps, onError }))
    const carrier = stack.use(postgresTransport(log))
    const message = (id: string): NewMessage => ({ topic, id, key: id, type: 'bench', headers: {}, body })
    const owned = stack.move()
    return {
      async load(ids) {
        for (let at = 0; at < ids.length; at += 2_000) {
          await log.inTransaction((tx) => {
            for (const id of ids.slice(at, at + 2_000)) tx.append(message(id))
          })
        }
      },
      send: (id) => log.inTransaction((tx) => tx.append(message(id))),
      async consume() {
        const maxMessages = mode === 'batch' ? 256 : 1
        const needs = { database, log, membership, carriers: [carrier], onError }
        const consumer = await startConsumer(needs, {
          group: 'bench',
          topic,
          maxMessages,
          concurrency: 8,
          async handle(tx, messages) {
            const ids = messages.map(({ id }) => id)
            tx.afterCommit(() => onHandled(ids))
            if (!effect) return
            const text = 'insert into bench_effect (id) select unnest($1::text[])'
            await tx.query({ name: 'bench.effect', text, values: [ids] })
          },
        })
        owned.use(consumer)
      },
      stop: () => owned.disposeAsync(),
    }
  },
}
