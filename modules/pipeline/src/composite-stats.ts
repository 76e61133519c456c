import { isInfrastructureError } from '@headrace/database'
import type { LogQueue, ProviderStatus } from './context.ts'
import type { ProviderStats } from './contract.ts'

/** Each provider of a composite by its name, and `total`: their sums, healthy when all are. */
export type CompositeStats = Readonly<Record<string, ProviderStats>>

/** Asks for them. While the database is away they are what was known last, and not healthy. */
export function compositeStats(queue: LogQueue, topic: string): () => Promise<CompositeStats> {
  const nothing = { healthy: true, size: 0, published: 0, failed: 0, lag: 0 }
  let known: readonly ProviderStatus[] = queue.carriage.inUse.map(({ name }) => ({ provider: name, ...nothing }))
  return async () => {
    try {
      known = await queue.carriage.status(topic)
    } catch (error) {
      if (!isInfrastructureError(error)) throw error
      known = known.map((status) => ({ ...status, healthy: false }))
    }
    return withTotal(known)
  }
}

function withTotal(providers: readonly ProviderStatus[]): CompositeStats {
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
