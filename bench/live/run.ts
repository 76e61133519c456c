// Live streams beside bare Node: memory and CPU of idle connections, and deliveries a second to busy ones.
// Ten thousand connections need as many file descriptors: `ulimit -n 20000` before.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { testDatabase } from '@headrace/database/testing'
import { openReport } from '../lib/report.ts'
import { shown, summarise } from '../lib/statistics.ts'
import { connectClients } from './clients.ts'
import type { Ask, Told } from './server.ts'

const { values: flags } = parseArgs({
  options: {
    idle: { type: 'string', default: '10000' },
    busy: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
  },
})
const idle = Number(flags.idle)
const busy = Number(flags.busy)
const seconds = Number(flags.seconds)
const report = openReport('live', `node bench/run.ts live ${process.argv.slice(2).join(' ')}`.trim())

// In turn, so that a machine whose speed drifts treats all alike.
for (let round = 1; round <= Number(flags.rounds); round += 1) {
  report.note(`round ${round}`)
  await measure('bare Node, stores nothing', 'bare-node.ts')
  await using database = await testDatabase({ name: 'bench' })
  await measure('headrace live, each event committed', 'headrace-live.ts', database.url)
}
report.finish()

interface Server extends AsyncDisposable {
  readonly port: number
  ask(ask: Ask): Promise<Told>
}

async function measure(contender: string, script: string, ...args: string[]): Promise<void> {
  const resting = await atRest(script, args)
  const working = await atWork(script, args)
  report.row({
    contender,
    'idle connections': String(idle),
    'kB each': shown(resting.bytesEach / 1000),
    'CPU when idle': `${shown(100 * resting.cpuShare)} %`,
    'busy connections': String(busy),
    'deliveries/s': shown(working.perSecond),
    'p99 of a commit and its fan-out, ms': shown(working.p99Ms),
    lost: String(resting.lost + working.lost),
  })
}

async function atRest(script: string, args: readonly string[]) {
  await using server = await start(script, args)
  // Compiled code and warm pools before anything is weighed.
  using warm = await connectClients(server.port, 500, (n) => `warm-${n}`)
  warm[Symbol.dispose]()
  await sleep(500)
  const before = await usage(server)
  using clients = await connectClients(server.port, idle, (n) => `user-${n}`)
  await sleep(1_000)
  const after = await usage(server)
  await sleep(seconds * 1_000)
  const later = await usage(server)
  return {
    bytesEach: (after.residentBytes - before.residentBytes) / idle,
    cpuShare: (later.cpuMs - after.cpuMs) / (seconds * 1_000),
    lost: clients.lost,
  }
}

/**
 * Events in flight are bounded by what has arrived, so that nobody is cut off for being slow. Two groups are under way:
 * while one goes out the next is being committed.
 */
async function atWork(script: string, args: readonly string[]) {
  await using server = await start(script, args)
  const eventsAtOnce = 8
  using clients = await connectClients(server.port, busy, () => 'busy')
  // What greets a client is no delivery.
  await sleep(500)
  const greetings = clients.deliveries
  const sentAt: number[] = []
  const times: number[] = []
  const arrived = async (groups: number) => {
    const expected = greetings + groups * eventsAtOnce * busy
    while (clients.deliveries < expected && clients.lost === 0) await sleep(0)
    times.push(performance.now() - (sentAt[groups - 1] ?? Number.NaN))
  }
  const publish = async () => {
    sentAt.push(performance.now())
    void server.ask({ kind: 'publish', subject: 'busy', events: eventsAtOnce })
    if (sentAt.length > 1) await arrived(sentAt.length - 1)
  }
  for (let n = 0; n < 50; n += 1) await publish()
  times.length = 0
  const before = clients.deliveries
  const began = performance.now()
  while (performance.now() - began < seconds * 1_000 && clients.lost === 0) await publish()
  const perSecond = (1_000 * (clients.deliveries - before)) / (performance.now() - began)
  await arrived(sentAt.length)
  return { perSecond, p99Ms: summarise(times).p99, lost: clients.lost }
}

async function usage(server: Server) {
  const told = await server.ask({ kind: 'usage' })
  if (told.kind !== 'usage') throw new TypeError(`the server told ${told.kind}`)
  return told
}

async function start(script: string, args: readonly string[]): Promise<Server> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = fork(path, [...args], { execArgv: ['--expose-gc'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const next = async (): Promise<Told> => {
    const [told] = await once(child, 'message')
    // Sent by `serve` only.
    return told as Told
  }
  const told = await next()
  if (told.kind !== 'port') throw new TypeError(`the server told ${told.kind}`)
  return {
    port: told.port,
    ask(ask) {
      const answer = next()
      child.send(ask)
      return answer
    },
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}
