import { freePorts, peakMemory } from '../../tests/support/headrace.ts'
import { startKafka, startNats } from '../../tools/services/testing.ts'
import { cpuPerOperation, cpuSeconds } from '../lib/cpu.ts'
import type { Report } from '../lib/report.ts'
import { shown } from '../lib/statistics.ts'
import { type Behind, inDirectory, lookInside, queueSize, sampled, untilDone } from './audit.ts'
import { type LoadResult, load } from './load.ts'
import { startProduct, startScript } from './process.ts'

export interface QueuesOrder {
  readonly seconds: number
  readonly clients: number
  readonly rounds: number
  /** Contenders whose names contain this; default all. */
  readonly only?: string
}

type Broker = 'kafka' | 'nats'

interface Contender {
  readonly name: string
  readonly brokers: readonly Broker[]
  /** Settings of the product; absent for the bare client. */
  readonly settings?: Readonly<Record<string, string>>
}

const composite = { QUEUE_TYPE: 'composite', COMPOSITE_PROVIDERS: 'nats,kafka' }
const contenders: readonly Contender[] = [
  { name: 'bare kafka client', brokers: ['kafka'] },
  { name: 'bare nats client', brokers: ['nats'] },
  { name: 'postgres', brokers: [], settings: { QUEUE_TYPE: 'postgres' } },
  { name: 'memory', brokers: [], settings: { QUEUE_TYPE: 'memory' } },
  { name: 'kafka', brokers: ['kafka'], settings: { QUEUE_TYPE: 'kafka' } },
  { name: 'nats', brokers: ['nats'], settings: { QUEUE_TYPE: 'nats' } },
  {
    name: 'composite best-effort',
    brokers: ['nats', 'kafka'],
    settings: { ...composite, COMPOSITE_STRATEGY: 'best-effort' },
  },
  {
    name: 'composite fail-fast (waits for both)',
    brokers: ['nats', 'kafka'],
    settings: { ...composite, COMPOSITE_STRATEGY: 'fail-fast' },
  },
  {
    name: 'kafka, confirmed by the broker',
    brokers: ['kafka'],
    settings: { QUEUE_TYPE: 'kafka', INGEST_CONFIRM: 'broker' },
  },
  {
    name: 'nats, confirmed by the broker',
    brokers: ['nats'],
    settings: { QUEUE_TYPE: 'nats', INGEST_CONFIRM: 'broker' },
  },
]

/**
 * Ingest with each queue type side by side: durable in the log and relayed, consumers running, beside what each
 * broker's client can do by itself. Brokers and database are on the disk; NATS syncs before it confirms. Loss and
 * doubles are counted after everything was carried and processed.
 */
export async function compareQueues(report: Report, order: QueuesOrder): Promise<void> {
  const chosen = contenders.filter(({ name }) => order.only === undefined || name.includes(order.only))
  for (let round = 1; round <= order.rounds; round += 1) {
    report.note(`round ${round}`)
    for (const contender of chosen) {
      await inDirectory(async (directory) => {
        await using stack = new AsyncDisposableStack()
        const addresses = await startBrokers(contender.brokers, directory, stack)
        await (contender.settings === undefined
          ? bare(report, order, contender, addresses)
          : product(report, order, contender, { directory, addresses }))
      })
    }
  }
}

type Addresses = Readonly<Partial<Record<Broker, string>>>

async function startBrokers(
  brokers: readonly Broker[],
  parent: string,
  stack: AsyncDisposableStack,
): Promise<Addresses> {
  const addresses: Partial<Record<Broker, string>> = {}
  for (const broker of brokers) {
    const service = stack.use(await (broker === 'kafka' ? startKafka({ parent }) : startNats({ parent })))
    addresses[broker] = service.address
  }
  return addresses
}

async function bare(report: Report, order: QueuesOrder, { name, brokers }: Contender, at: Addresses): Promise<void> {
  const [broker = 'kafka'] = brokers
  await using server = await startScript('bare-broker.ts', broker, at[broker] ?? '')
  await load({ url: server.url, clients: order.clients, seconds: 3 })
  const before = cpuSeconds()
  const result = await load({ url: server.url, clients: order.clients, seconds: order.seconds })
  row(report, name, result, { cpu: cpuPerOperation(before, result.accepted) })
}

async function product(
  report: Report,
  { clients, seconds }: QueuesOrder,
  { name, settings }: Contender,
  { directory, addresses }: { readonly directory: string; readonly addresses: Addresses },
): Promise<void> {
  const [port = 0] = await freePorts(1)
  const data = `${directory}/data`
  const environment = {
    ...settings,
    ...(addresses.kafka !== undefined && { KAFKA_BROKERS: addresses.kafka }),
    ...(addresses.nats !== undefined && { NATS_URL: `nats://${addresses.nats}` }),
  }
  await using server = await startProduct(data, port, environment)
  await using inside = await lookInside(data)
  const isCarried = async () => (await inside.behind()).relays === 0
  const isDone = async () => (await inside.behind()).groups === 0 && (await queueSize(server)) === 0
  const warmUp = await load({ url: server.url, clients, seconds: 5 })
  await untilDone('the warm-up is carried and processed', async () => (await isCarried()) && (await isDone()))

  const before = cpuSeconds()
  const watched = sampled(() => inside.behind())
  const result = await load({ url: server.url, clients, seconds })
  const cpu = cpuPerOperation(before, result.accepted)
  const samples = await watched.stop()
  const relaysMs = await untilDone('everything is carried', isCarried)
  const processedMs = relaysMs + (await untilDone('everything is processed', isDone))
  const audit = await inside.audit()
  // Memory logs nothing: what was answered must have a result, and requests cut off at the end may have one.
  const answered = warmUp.accepted + result.accepted
  const isLogged = audit.accepted > 0
  const lost = isLogged ? audit.accepted - audit.processed : Math.max(0, answered - audit.results)
  const missing = isLogged ? Math.max(0, answered - audit.accepted) : 0
  report.note(JSON.stringify({ samples, audit, answered }))
  row(report, name, result, {
    cpu,
    behind: samples,
    relaysMs,
    processedMs,
    lost: lost + missing,
    doubled: isLogged ? audit.results - audit.processed : Math.max(0, audit.results - answered - clients * 2),
    memory: (await peakMemory(server.pid)).own,
  })
}

interface Extra {
  readonly cpu: string
  readonly behind?: readonly Behind[]
  readonly relaysMs?: number
  readonly processedMs?: number
  readonly lost?: number
  readonly doubled?: number
  readonly memory?: number
}

function row(report: Report, contender: string, result: LoadResult, extra: Extra): void {
  report.note(result.raw)
  const optional = (value: number | undefined) => (value === undefined ? '' : shown(value))
  const most = (pick: (behind: Behind) => number) => extra.behind && Math.max(0, ...extra.behind.map(pick))
  const count = (value: number | undefined) => (value === undefined ? '' : String(value))
  report.row({
    contender,
    'accepted/s': shown(result.perSecond),
    'p50 ms': shown(result.p50),
    'p95 ms': shown(result.p95),
    'p99 ms': shown(result.p99),
    refused: String(result.refused),
    'relays behind, most': count(most(({ relays }) => relays)),
    'carried after ms': optional(extra.relaysMs),
    'consumers behind, most': count(most(({ groups }) => groups)),
    'processed after ms': optional(extra.processedMs),
    lost: count(extra.lost),
    doubled: count(extra.doubled),
    'peak MiB (Node)': optional(extra.memory),
    'CPU µs/accept, all on this machine': extra.cpu,
    load: result.tool,
  })
}
