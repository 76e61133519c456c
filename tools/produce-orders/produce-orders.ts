import { type Environment, sleep } from '@headrace/runtime'
import { loadEnvironment } from '../../apps/platform/src/cli/environment.ts'
import { allSettings } from '../../apps/platform/src/cli/settings.ts'
import { Progress } from '../load-test/progress.ts'
import { FakeOrders } from './fake-orders.ts'
import type { ProduceOptions } from './options.ts'
import { type Sink, withSink } from './sinks.ts'

/** Orders that are written together. */
const batchSize = 100
/** Ids that are shown at the end. */
const shownIds = 5

/** Writes the orders, shows progress, and at the end the ids of a few that can be looked up. */
export async function produceOrders(options: ProduceOptions, real: Environment): Promise<void> {
  const orders = new FakeOrders(options)
  if (options.dryRun) {
    console.log(JSON.stringify(orders.order()))
    return
  }
  const settings = allSettings(loadEnvironment(real, undefined).env)
  await withSink(settings, async (sink, name) => {
    console.log(`${options.count} orders to topic ${settings.ORDERS_TOPIC} on ${name}`)
    const { valid, broken, tookMs } = await write(options, orders, sink)
    const rate = Math.round((options.count / tookMs) * 1000)
    console.log(
      `\n  written  ${options.count} in ${(tookMs / 1000).toFixed(2)} s, ${rate}/s; ${broken} of them broken on purpose`,
    )
    if (valid.length > 0) console.log(`  look up  ${valid.map((id) => `/order/${id}`).join('\n           ')}`)
  })
}

interface Written {
  readonly valid: readonly string[]
  readonly broken: number
  readonly tookMs: number
}

async function write({ count, rate }: ProduceOptions, orders: FakeOrders, sink: Sink): Promise<Written> {
  const progress = new Progress('orders', count)
  const valid: string[] = []
  const startedAt = performance.now()
  let broken = 0
  for (let done = 0; done < count; ) {
    // At a rate a batch is what is due by now, at least one.
    const due = rate === 0 ? count : Math.floor(((performance.now() - startedAt) / 1000) * rate) + 1
    const size = Math.min(batchSize, count - done, due - done)
    if (size <= 0) {
      await sleep(Math.max(1, 1000 / rate))
      continue
    }
    const batch = Array.from({ length: size }, () => orders.next())
    await sink(batch)
    for (const { key, isValid } of batch) {
      if (!isValid) broken += 1
      else if (valid.length < shownIds) valid.push(key)
    }
    done += size
    progress.show(done)
  }
  return { valid, broken, tookMs: performance.now() - startedAt }
}
