import type { MetricSample, Metrics } from '@headrace/runtime'
import type { onResponseHookHandler, RouteOptions } from 'fastify'
import { countedStatus } from './callers-fault.ts'

/** Upper bounds in seconds. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

interface RouteCounts {
  readonly labels: { readonly server: string; readonly method: string; readonly route: string }
  readonly byStatus: Map<number, number>
  /** Requests that took at most the bound with the same index; the last one is for all others. */
  readonly buckets: number[]
  seconds: number
}

export interface RequestMetrics {
  /** The hook that counts the requests of a route. */
  hookFor(route: RouteOptions): onResponseHookHandler
}

/**
 * Counts requests by route and status, and how long they took. Each route has its counters at hand, so that a request
 * costs two additions and no look-up by labels.
 */
export function requestMetrics(server: string, metrics: Metrics): RequestMetrics {
  const routes: RouteCounts[] = []
  metrics.custom({
    name: 'headrace_http_requests_total',
    help: 'Requests answered, by route and status.',
    type: 'counter',
    read: () => routes.flatMap(statusSamples),
  })
  metrics.custom({
    name: 'headrace_http_request_duration_seconds',
    help: 'Time from a request’s headers to the end of its answer.',
    type: 'histogram',
    read: () => routes.filter((route) => route.byStatus.size > 0).flatMap(durationSamples),
  })
  return {
    hookFor(route) {
      const labels = { server, method: [route.method].flat().join(','), route: route.url }
      const counts: RouteCounts = {
        labels,
        byStatus: new Map(),
        buckets: new Array(bounds.length + 1).fill(0),
        seconds: 0,
      }
      routes.push(counts)
      return (_request, reply, done) => {
        count(counts, countedStatus(reply), reply.elapsedTime / 1000)
        done()
      }
    },
  }
}

function count(counts: RouteCounts, status: number, seconds: number): void {
  counts.byStatus.set(status, (counts.byStatus.get(status) ?? 0) + 1)
  counts.seconds += seconds
  const index = bounds.findIndex((bound) => seconds <= bound)
  const bucket = index === -1 ? bounds.length : index
  counts.buckets[bucket] = (counts.buckets[bucket] ?? 0) + 1
}

function statusSamples({ labels, byStatus }: RouteCounts): MetricSample[] {
  return [...byStatus].map(([status, value]) => ({ labels: { ...labels, status }, value }))
}

function durationSamples({ labels, buckets, seconds }: RouteCounts): MetricSample[] {
  const metric = 'headrace_http_request_duration_seconds'
  let total = 0
  const cumulative = buckets.map((value, index): MetricSample => {
    total += value
    return { name: `${metric}_bucket`, labels: { ...labels, le: bounds[index] ?? '+Inf' }, value: total }
  })
  return [
    ...cumulative,
    { name: `${metric}_sum`, labels, value: seconds },
    { name: `${metric}_count`, labels, value: total },
  ]
}
