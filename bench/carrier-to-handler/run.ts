// From a broker to a handler through the inbox: messages of a foreign producer wait in a topic, and a group takes them,
// each batch in the transaction that moves its cursors. The handler only counts.
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  databaseMigrations,
  migrate,
  openDatabase,
  type Queryable,
  startEmbeddedServer,
  startWakeUps,
} from '@headrace/database'
import { inboxMigrations, startConsumer, startMembership } from '@headrace/inbox'
import { logMigrations, openLog } from '@headrace/log'
import { type OutgoingMessage, partitionOf, type Transport } from '@headrace/transport'
import { kafkaTransport } from '@headrace/transport-kafka'
import { natsTransport } from '@headrace/transport-nats'
import { Admin } from '@platformatic/kafka'
import { startKafka, startNats } from '../../tools/services/testing.ts'
import { cpuPerOperation, cpuSeconds } from '../lib/cpu.ts'
import { profiled } from '../lib/profile.ts'
import { openReport } from '../lib/report.ts'
import { shown } from '../lib/statistics.ts'

const { values: flags } = parseArgs({
  options: {
    providers: { type: 'string', default: 'kafka,nats' },
    messages: { type: 'string', default: '100000' },
    partitions: { type: 'string', default: '16,3' },
    rounds: { type: 'string', default: '3' },
    profile: { type: 'string' },
  },
})
const messages = Number(flags.messages)
const body = Buffer.from(JSON.stringify({ text: 'x'.repeat(128) }))
const report = openReport(
  'carrier-to-handler',
  `node bench/run.ts carrier-to-handler ${process.argv.slice(2).join(' ')}`.trim(),
)
const onError = (error: unknown, name: string) => report.note(`${name}: ${String(error)}`)

for (const provider of flags.providers.split(',')) await measure(provider)
report.finish()

async function measure(provider: string): Promise<void> {
  await using stack = new AsyncDisposableStack()
  // On a disk, as in use: tests have their servers in memory.
  const parent = await mkdtemp(join(process.cwd(), '.headrace-bench-'))
  stack.defer(() => rm(parent, { recursive: true, force: true }))
  const service = stack.use(await (provider === 'kafka' ? startKafka({ parent }) : startNats({ parent })))
  const transport = stack.use(
    provider === 'kafka'
      ? kafkaTransport({ brokers: [service.address] })
      : natsTransport({ servers: [service.address] }),
  )
  const server = stack.use(await startEmbeddedServer({ dataDirectory: `${parent}/data` }))
  const database = stack.use(openDatabase({ url: server.url, maxConnections: 10 }))
  await migrate(database, [databaseMigrations, logMigrations, inboxMigrations])
  const wakeUps = stack.use(startWakeUps({ url: server.url }))
  const log = stack.use(await openLog({ database, wakeUps, onError }))
  const membership = stack.use(startMembership({ database, wakeUps, onError }))

  // NATS has sixteen partitions, always.
  const widths = provider === 'kafka' ? flags.partitions.split(',').map(Number) : [16]
  await take(16, 20_000)
  for (let round = 1; round <= Number(flags.rounds); round += 1) {
    for (const width of widths) {
      const { seconds, cpu, batches, statements } = await take(width, messages)
      report.row({
        provider,
        partitions: String(width),
        waiting: shown(messages),
        'messages/s': shown(messages / seconds),
        'messages/batch': shown(messages / batches),
        'transactions of the database/1000 messages': shown((statements / messages) * 1_000),
        'CPU µs/message': cpu,
      })
    }
  }

  async function take(width: number, count: number) {
    const topic = `bench-${randomUUID()}`
    if (provider === 'kafka') await declare(service.address, topic, width)
    await fill(transport, topic, width, count)
    let left = count
    let batches = 0
    const { promise: done, resolve } = Promise.withResolvers<void>()
    const handle = (_tx: unknown, batch: readonly unknown[]) => {
      batches += 1
      left -= batch.length
      if (left <= 0) resolve()
    }
    const before = { cpu: cpuSeconds(), transactions: await transactions(database) }
    const startedAt = performance.now()
    const needs = { database, log, membership, carriers: [transport], onError }
    const consumed = async () => {
      await using _consumer = await startConsumer(needs, { group: 'bench', topic, handle })
      await done
      return { seconds: (performance.now() - startedAt) / 1_000, cpu: cpuPerOperation(before.cpu, count) }
    }
    const result = await (flags.profile === undefined ? consumed() : profiled(flags.profile, consumed))
    if (left !== 0) report.note(`${-left} messages more than were published`)
    return { ...result, batches, statements: (await transactions(database)) - before.transactions }
  }
}

async function transactions(database: Queryable): Promise<number> {
  const { rows } = await database.query<{ count: number }>({
    text: 'select xact_commit as count from pg_stat_database where datname = current_database()',
  })
  return rows[0]?.count ?? 0
}

async function declare(broker: string, topic: string, partitions: number): Promise<void> {
  const admin = new Admin({ clientId: 'bench', bootstrapBrokers: [broker] })
  await admin.createTopics({ topics: [{ topic, partitions, replicas: 1 }] })
  await admin.close()
}

async function fill(transport: Transport, topic: string, width: number, count: number): Promise<void> {
  const all = Array.from({ length: count }, (_, n): OutgoingMessage => {
    return { id: randomUUID(), key: `k${n % 5_000}`, type: 'bench', headers: {}, body }
  })
  const parts = Map.groupBy(all, ({ key }) => partitionOf(key, width))
  await Promise.all(
    [...parts].map(async ([partition, part]) => {
      for (let at = 0; at < part.length; at += 500) {
        await transport.publish(topic, partition, part.slice(at, at + 500))
      }
    }),
  )
}
