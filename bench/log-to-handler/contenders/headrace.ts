import { databaseMigrations, migrate, openDatabase, startWakeUps } from '@headrace/database'
import { type Handle, inboxMigrations, startConsumer, startMembership } from '@headrace/inbox'
import { logMigrations, type NewMessage, openLog } from '@headrace/log'
import { postgresTransport } from '@headrace/transport'
import { type Contender, effectTable, payload, type RunningContender, type Task } from '../contender.ts'

const body = Buffer.from(JSON.stringify(payload))
const topic = 'bench'
const onError = (error: unknown, name: string) => process.stderr.write(`${name}: ${String(error)}\n`)

/** One instance: in one process with the sender, or, as `headrace-apart`, sharing nothing with it but the database. */
async function openInstance(url: string) {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(openDatabase({ url, maxConnections: 10 }))
  await migrate(database, [databaseMigrations, logMigrations, inboxMigrations])
  await database.query({ text: effectTable })
  const wakeUps = stack.use(startWakeUps({ url }))
  const log = stack.use(await openLog({ database, wakeUps, onError }))
  await log.declareTopic(topic)
  const membership = stack.use(startMembership({ database, wakeUps, onError }))
  const carrier = stack.use(postgresTransport(log))
  return { database, log, membership, carriers: [carrier], onError, owned: stack.move() }
}

type Instance = Awaited<ReturnType<typeof openInstance>>

const message = (id: string): NewMessage => ({ topic, id, key: id, type: 'bench', headers: {}, body })

function running(sender: Instance, receiver: Instance, task: Task): RunningContender {
  return {
    async load(ids) {
      for (let at = 0; at < ids.length; at += 2_000) {
        await sender.log.inTransaction((tx) => {
          for (const id of ids.slice(at, at + 2_000)) tx.append(message(id))
        })
      }
    },
    send: (id) => sender.log.inTransaction((tx) => tx.append(message(id))),
    async consume() {
      const maxMessages = task.mode === 'batch' ? 256 : 1
      const handle = handler(task)
      receiver.owned.use(await startConsumer(receiver, { group: 'bench', topic, maxMessages, concurrency: 8, handle }))
    },
    async stop() {
      await receiver.owned.disposeAsync()
      await sender.owned.disposeAsync()
    },
  }
}

function handler({ effect, measure, onHandled }: Task): Handle {
  return async (tx, messages) => {
    const ids = messages.map(({ id }) => id)
    if (measure === 'latency') onHandled(ids)
    else tx.afterCommit(() => onHandled(ids))
    if (!effect) return
    const text = 'insert into bench_effect (id) select unnest($1::text[])'
    await tx.query({ name: 'bench.effect', text, values: [ids] })
  }
}

export const headrace: Contender = {
  name: 'headrace',
  atomic: true,
  async start(task) {
    const instance = await openInstance(task.url)
    return running(instance, instance, task)
  },
}

export const headraceApart: Contender = {
  name: 'headrace-apart',
  atomic: true,
  async start(task) {
    return running(await openInstance(task.url), await openInstance(task.url), task)
  },
}
