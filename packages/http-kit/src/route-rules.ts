import { type Metrics, PlatformError } from '@headrace/runtime'
import type { onRequestHookHandler, RouteOptions } from 'fastify'
import { type Access, accessOf, type Guard, internalGuard } from './access.ts'
import { type Callers, callerGuard } from './callers.ts'
import { docsPath } from './open-api.ts'
import { requireOwnName } from './person.ts'
import { requestMetrics } from './request-metrics.ts'

export interface RouteRuleOptions {
  readonly name: string
  readonly metrics?: Metrics
  readonly docs?: object
  readonly internalToken?: string
  readonly callers?: Callers
}

/** Gives each route its guard and its counters. */
export function routeRules(options: RouteRuleOptions): (route: RouteOptions) => void {
  const guardOf = guardsBy(options)
  const metrics = options.metrics === undefined ? undefined : requestMetrics(options.name, options.metrics)
  return (route) => {
    // The reference's own files are added by its plugin, which knows no access rules.
    if (options.docs !== undefined && isDocs(route.url)) route.config = { ...route.config, access: 'public' }
    const access = accessOf(route)
    const guard = guardOf(access, route)
    if (guard !== undefined) route.onRequest = [asHook(guard), ...[route.onRequest ?? []].flat()]
    if (access === 'person' || access === 'token') {
      // Once the body is parsed and has the types that the route asks for.
      route.preHandler = [asHook(requireOwnName), ...[route.preHandler ?? []].flat()]
    }
    if (metrics !== undefined) route.onResponse = [metrics.hookFor(route), ...[route.onResponse ?? []].flat()]
  }
}

function guardsBy({ callers, internalToken }: RouteRuleOptions) {
  const internal = internalGuard(internalToken)
  return (access: Access, route: RouteOptions): Guard | undefined => {
    switch (access) {
      case 'public':
        return undefined
      case 'internal':
        return internal
      case 'person':
        return callers && callerGuard(callers, route, callers.required)
      case 'token':
        return callers === undefined ? noTokens : callerGuard(callers, route, true)
      default:
        return access satisfies never
    }
  }
}

/** Where nobody can tell whose a token is, nobody gets in. */
function noTokens(): void {
  throw new PlatformError('UNAUTHORIZED', 'this process verifies no tokens')
}

function isDocs(url: string): boolean {
  return url === docsPath || url.startsWith(`${docsPath}/`)
}

/** By callback, so that a guard that need not wait costs no turn. */
function asHook(guard: Guard): (...call: Parameters<onRequestHookHandler>) => void {
  return (request, reply, done) => {
    try {
      const waiting = guard(request, reply)
      if (waiting === undefined) done()
      else waiting.then(() => done(), done)
    } catch (error) {
      // Guards throw errors only.
      done(error as Error)
    }
  }
}
