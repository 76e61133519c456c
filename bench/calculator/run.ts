// The calculator: how near it comes to the critical path, how many tasks it does, how soon a small expression is done,
// how long the longest chain takes, and a crowd. Workers pull over HTTP from processes of their own.
import { parseArgs } from 'node:util'
import { openReport } from '../lib/report.ts'
import { shown, summarise } from '../lib/statistics.ts'
import { ended, submit, tookMs, watch } from './client.ts'
import { startProduct } from './product.ts'
import { deep, idealMs, wide } from './shapes.ts'

const { values: flags } = parseArgs({
  options: {
    tasks: { type: 'string', default: '40000' },
    chain: { type: 'string', default: '32767' },
    users: { type: 'string', default: '1000' },
    samples: { type: 'string', default: '500' },
    only: { type: 'string' },
  },
})
const report = openReport('calculator', `node bench/run.ts calculator ${process.argv.slice(2).join(' ')}`.trim())
const operationMs = 200

const parts = { path: criticalPath, tasks: manyTasks, latency: smallOne, chain: longChain, crowd } as const
for (const [name, run] of Object.entries(parts)) if (flags.only === undefined || flags.only === name) await run()
report.finish()

async function criticalPath(): Promise<void> {
  for (const workers of [1, 4, 16]) {
    await using product = await startProduct({ operationMs, workers: [workers] })
    await ended(product.url, await submit(product.url, '1+1'))
    await path(`wide (32 products, balanced), ${workers} at a time`, wide(32), idealMs(32, workers, operationMs))
    await path(`deep (20 in a chain), ${workers} at a time`, deep(20), 20 * operationMs)

    async function path(name: string, expression: string, ideal: number): Promise<void> {
      const took = tookMs(await ended(product.url, await submit(product.url, expression)))
      const over = `${shown(((took - ideal) / ideal) * 100)} %`
      report.row({ what: name, measured: `${shown(took)} ms`, 'at least': `${shown(ideal)} ms`, over })
    }
  }
}

async function manyTasks(): Promise<void> {
  await using product = await startProduct({ operationMs: 0, workers: [2, 2] })
  const products = 1_000
  const expressions = Math.ceil(Number(flags.tasks) / (2 * products - 1))
  const startedAt = performance.now()
  const ids = await Promise.all(
    Array.from({ length: expressions }, (_, user) => submit(product.url, wide(products, user), user + 1)),
  )
  for (const [user, id] of ids.entries()) await ended(product.url, id, user + 1)
  const seconds = (performance.now() - startedAt) / 1000
  const tasks = expressions * (2 * products - 1)
  report.row({ what: `${shown(tasks)} tasks that take no time`, measured: `${shown(tasks / seconds)} tasks/s` })
}

async function smallOne(): Promise<void> {
  await using product = await startProduct({ operationMs: 0, workers: [2] })
  await using watcher = await watch(product.url, 1)
  const times: number[] = []
  for (let sample = 0; sample < Number(flags.samples); sample += 1) {
    const startedAt = performance.now()
    await watcher.end(await submit(product.url, '2+2*2'))
    times.push(performance.now() - startedAt)
  }
  const { p50, p95, p99 } = summarise(times.slice(times.length / 10))
  report.row({
    what: '2+2*2, from request to end',
    measured: `p50 ${shown(p50)}, p95 ${shown(p95)}, p99 ${shown(p99)} ms`,
  })
}

async function longChain(): Promise<void> {
  await using product = await startProduct({ operationMs: 0, workers: [2] })
  const operations = Number(flags.chain)
  const took = tookMs(await ended(product.url, await submit(product.url, deep(operations)), 1, 500))
  const each = `${shown(took / operations)} ms each`
  report.row({ what: `${shown(operations)} operations in a chain`, measured: `${shown(took / 1000)} s`, over: each })
}

async function crowd(): Promise<void> {
  await using product = await startProduct({ operationMs: 0, workers: [2, 2] })
  const users = Array.from({ length: Number(flags.users) }, (_, index) => index + 1)
  const startedAt = performance.now()
  const ids = await Promise.all(users.map((user) => submit(product.url, `${user}+${user}*2`, user)))
  const acceptedMs = performance.now() - startedAt
  const ends = await Promise.all(ids.map((id, index) => ended(product.url, id, index + 1, 1_000)))
  const wrong = ends.filter(({ result }, index) => result !== (index + 1) * 3).length
  const { p50, p99, max } = summarise(ends.map(tookMs))
  const measured = `accepted in ${shown(acceptedMs)} ms; done p50 ${shown(p50)}, p99 ${shown(p99)}, max ${shown(max)} ms; ${wrong} wrong`
  report.row({ what: `${shown(users.length)} users at once`, measured })
}
