// One measurement in a process of its own: node child.ts '{"contender":"headrace",…}'; prints one line of JSON.
import { summarise } from '../lib/statistics.ts'
import type { Contender, RunningContender } from './contender.ts'

interface Order {
  readonly contender: string
  readonly url: string
  readonly measure: 'throughput' | 'latency'
  readonly effect: boolean
  readonly mode: 'batch' | 'single'
  /** Messages that wait when consuming starts. */
  readonly backlog: number
  /** Messages whose handling is timed, or sent one by one. */
  readonly count: number
  /** Longest time for the measurement in ms; the rate is then of what was handled. */
  readonly limitMs: number
}

const contenders = ['headrace', 'headrace-apart', 'graphile-worker', 'pg-boss', 'bullmq']

// Written by run.ts.
const order = JSON.parse(process.argv[2] ?? '{}') as Order
if (!contenders.includes(order.contender)) {
  throw new RangeError(`contender '${order.contender}': one of ${contenders.join(', ')}`)
}
// By name, so that only what is measured is loaded.
const file = order.contender.replace('-apart', '')
const loaded: unknown = await import(`./contenders/${file}.ts`)
// Each of these files exports contenders and nothing else.
const contender = Object.values(loaded as Record<string, Contender>).find(({ name }) => name === order.contender)
if (contender === undefined) throw new Error(`${file}.ts exports no contender '${order.contender}'`)

const seen = new Map<string, number>()
const started = new Map<string, (at: number) => void>()
let handled = 0
let reached = () => {}
const running = await contender.start({
  ...order,
  onHandled(ids) {
    const now = performance.now()
    handled += ids.length
    for (const id of ids) {
      seen.set(id, (seen.get(id) ?? 0) + 1)
      started.get(id)?.(now)
    }
    if (handled >= order.count) reached()
  },
})
const result = order.measure === 'throughput' ? await throughput(running) : await latency(running)
process.stdout.write(
  `${JSON.stringify({ ...result, atomic: contender.atomic, twice: [...seen.values()].filter((n) => n > 1).length })}\n`,
)
await running.stop()
process.exit(0)

async function throughput(queue: RunningContender) {
  const loadStart = performance.now()
  await queue.load(Array.from({ length: order.backlog }, (_, index) => `m${index}`))
  const loadMs = performance.now() - loadStart
  const done = new Promise<void>((resolve) => {
    reached = resolve
  })
  const begun = performance.now()
  await queue.consume()
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), order.limitMs)
  await Promise.race([done, new Promise((resolve) => limit.signal.addEventListener('abort', resolve))])
  clearTimeout(timer)
  const ms = performance.now() - begun
  return { perSecond: (handled / ms) * 1_000, handled, ms, loadPerSecond: (order.backlog / loadMs) * 1_000 }
}

/** From the moment that sending has returned to the moment that the handler reports the message. */
async function latency(queue: RunningContender) {
  await queue.consume()
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  const waits: number[] = []
  for (let index = 0; index < order.count; index += 1) {
    const id = `s${index}`
    const start = new Promise<number>((resolve) => started.set(id, resolve))
    await queue.send(id)
    const sent = performance.now()
    // A handler may be faster than the answer to its sender.
    waits.push(Math.max(0, (await start) - sent))
    await new Promise((resolve) => setTimeout(resolve, 5 + (index % 7)))
  }
  return { ...summarise(waits) }
}
