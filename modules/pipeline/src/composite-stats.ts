import type { LogQueue, ProviderStatus } from './context.ts'
import type { ProviderStats } from './contract.ts'

/** Each provider of a composite by its name, and `total`: their sums, healthy when all are. */
export async function compositeStats(queue: LogQueue, topic: string): Promise<Readonly<Record<string, ProviderStats>>> {
  const providers = await queue.carriage.status(topic)
  const sum = (count: (status: ProviderStatus) => number) => providers.reduce((all, one) => all + count(one), 0)
  const total = {
    healthy: providers.every(({ healthy }) => healthy),
    size: sum(({ size }) => size),
    published: sum(({ published }) => published),
    failed: sum(({ failed }) => failed),
    lag: sum(({ lag }) => lag),
  }
  const named = providers.map(({ provider, healthy, size, published, failed, lag }) => [
    provider,
    { healthy, size, published, failed, lag },
  ])
  return { ...Object.fromEntries(named), total }
}
