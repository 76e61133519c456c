import { type Metrics, PlatformError } from '@headrace/runtime'
import type { FastifyRequest, RouteOptions } from 'fastify'
import { accessOf, type Guard, type Guards, internalGuard } from './access.ts'
import { docsPath } from './open-api.ts'
import { requestMetrics } from './request-metrics.ts'

export interface RouteRuleOptions {
  readonly name: string
  readonly metrics?: Metrics
  readonly docs?: object
  readonly internalToken?: string
  readonly personGuard?: Guard
  readonly tokenGuard?: Guard
}

/** Gives each route its guard and its counters. */
export function routeRules(options: RouteRuleOptions): (route: RouteOptions) => void {
  const guards: Guards = {
    public: undefined,
    person: options.personGuard,
    token: options.tokenGuard ?? noTokens,
    internal: internalGuard(options.internalToken),
  }
  const metrics = options.metrics === undefined ? undefined : requestMetrics(options.name, options.metrics)
  return (route) => {
    // The reference's own files are added by its plugin, which knows no access rules.
    if (options.docs !== undefined && isDocs(route.url)) route.config = { ...route.config, access: 'public' }
    const guard = guards[accessOf(route)]
    if (guard !== undefined) route.onRequest = [asHook(guard), ...[route.onRequest ?? []].flat()]
    if (metrics !== undefined) route.onResponse = [metrics.hookFor(route), ...[route.onResponse ?? []].flat()]
  }
}

/** Where nobody can tell whose a token is, nobody gets in. */
function noTokens(): void {
  throw new PlatformError('UNAUTHORIZED', 'this process verifies no tokens')
}

function isDocs(url: string): boolean {
  return url === docsPath || url.startsWith(`${docsPath}/`)
}

function asHook(guard: Guard) {
  return async (request: FastifyRequest) => guard(request)
}
