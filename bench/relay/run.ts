// The relay from the log to a broker: how fast a backlog is carried, with the cursor behind what the broker confirmed.
// The broker is counted afterwards: every message, each once when nothing failed.
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { databaseMigrations, migrate, openDatabase, startEmbeddedServer, startWakeUps } from '@headrace/database'
import { inboxMigrations, startMembership } from '@headrace/inbox'
import { type Log, logMigrations, openLog } from '@headrace/log'
import { openCarriage, relayMigrations, relayStatus } from '@headrace/relay'
import { logPartitions, memoryTransport, type Transport } from '@headrace/transport'
import { kafkaTransport } from '@headrace/transport-kafka'
import { natsTransport } from '@headrace/transport-nats'
import { startKafka, startNats } from '../../tools/services/testing.ts'
import { cpuPerOperation, cpuSeconds } from '../lib/cpu.ts'
import { profiled } from '../lib/profile.ts'
import { openReport } from '../lib/report.ts'
import { shown } from '../lib/statistics.ts'

const { values: flags } = parseArgs({
  options: {
    providers: { type: 'string', default: 'kafka,nats,memory' },
    messages: { type: 'string', default: '30000,1000000' },
    rounds: { type: 'string', default: '3' },
    bytes: { type: 'string', default: '128' },
    profile: { type: 'string' },
  },
})
const backlogs = flags.messages.split(',').map(Number)
const body = Buffer.from(JSON.stringify({ text: 'x'.repeat(Number(flags.bytes)) }))
const report = openReport('relay', `node bench/run.ts relay ${process.argv.slice(2).join(' ')}`.trim())
const onError = (error: unknown, name: string) => report.note(`${name}: ${String(error)}`)
/** Carried before anything is timed: compiled code and warm caches, ours and the broker's. */
const warmUp = 20_000

for (const provider of flags.providers.split(',')) await measure(provider)
report.finish()

async function measure(provider: string): Promise<void> {
  await using stack = new AsyncDisposableStack()
  // On a disk, as in use: tests have their servers in memory.
  const parent = await mkdtemp(join(process.cwd(), '.headrace-bench-'))
  stack.defer(() => rm(parent, { recursive: true, force: true }))
  const transport = stack.use(await open(provider, parent, stack))
  const server = stack.use(await startEmbeddedServer({ dataDirectory: `${parent}/data` }))
  const database = stack.use(openDatabase({ url: server.url, maxConnections: 10 }))
  await migrate(database, [databaseMigrations, logMigrations, inboxMigrations, relayMigrations])
  const wakeUps = stack.use(startWakeUps({ url: server.url }))
  const log = stack.use(await openLog({ database, wakeUps, onError }))
  const membership = stack.use(startMembership({ database, wakeUps, onError }))

  await carry(warmUp)
  for (let round = 1; round <= Number(flags.rounds); round += 1) {
    for (const backlog of backlogs) {
      const { seconds, cpu, held } = await carry(backlog)
      report.row({
        provider,
        backlog: shown(backlog),
        'messages/s': shown(backlog / seconds),
        seconds: shown(seconds),
        'held by the broker': shown(held),
        'CPU µs/message': cpu,
      })
    }
  }

  async function carry(backlog: number): Promise<{ seconds: number; cpu: string; held: number }> {
    const topic = `bench-${randomUUID()}`
    await log.declareTopic(topic)
    // Somebody who needs everything: a relay begins behind the least position that is recorded.
    await database.query({
      text: `insert into headrace.log_reader (group_name, topic, partition, position)
             select 'bench', $1, p, 0 from generate_series(0, 15) as p`,
      values: [topic],
    })
    await fill(log, topic, backlog)
    await transport.held(topic, 0)
    await using carriage = await openCarriage(
      { database, log, membership, onError },
      { providers: [provider], open: () => transport },
    )
    const before = cpuSeconds()
    const startedAt = performance.now()
    const carried = async () => {
      await carriage.relay(topic)
      while ((await lagOf(topic)) > 0) await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await (flags.profile === undefined ? carried() : profiled(flags.profile, carried))
    const seconds = (performance.now() - startedAt) / 1000
    const cpu = cpuPerOperation(before, backlog)
    return { seconds, cpu, held: await heldBy(transport, topic) }
  }

  async function lagOf(topic: string): Promise<number> {
    return (await relayStatus(database)).find((status) => status.topic === topic)?.lag ?? Number.POSITIVE_INFINITY
  }
}

async function open(provider: string, parent: string, stack: AsyncDisposableStack): Promise<Transport> {
  if (provider === 'memory') return memoryTransport({ maxMessages: 1e9, maxBytes: 16 * 1024 ** 3 })
  if (provider === 'nats') {
    const { address } = stack.use(await startNats({ parent }))
    return natsTransport({ servers: [address] })
  }
  const { address } = stack.use(await startKafka({ parent }))
  return kafkaTransport({ brokers: [address] })
}

async function fill(log: Log, topic: string, messages: number): Promise<void> {
  for (let at = 0; at < messages; at += 2_000) {
    await log.inTransaction((tx) => {
      for (let n = at; n < Math.min(messages, at + 2_000); n += 1) {
        tx.append({ topic, id: randomUUID(), key: `k${n % 1_000}`, type: 'bench', headers: {}, body })
      }
    })
  }
}

async function heldBy(transport: Transport, topic: string): Promise<number> {
  const signal = new AbortController()
  let count = 0
  for (let partition = 0; partition < logPartitions; partition += 1) {
    const { first, end } = await transport.held(topic, partition)
    if (first === end) continue
    for await (const batch of transport.read(topic, partition, { kind: 'beginning' }, { signal: signal.signal })) {
      count += batch.messages.length
      if ((batch.messages.at(-1)?.position ?? 0) + 1 >= end) break
    }
  }
  signal.abort()
  return count
}
