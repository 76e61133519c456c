import { type App, actingUser, type KeyedRequests } from '@headrace/http-kit'
import type { LogTransaction } from '@headrace/log'
import { type FaultPoints, PlatformError } from '@headrace/runtime'
import type { Station } from '@headrace/station'
import { readUuid } from '../domain/ids.ts'

export interface RouteNeeds {
  readonly app: App
  readonly station: Station
  readonly keyed: KeyedRequests<LogTransaction>
  readonly newId: () => string
  readonly faults: FaultPoints
}

/** A request as its guards have left it. */
export type GuardedRequest = Parameters<typeof actingUser>[0]

/** The user of a path, whom the request acts for. Throws `FORBIDDEN`, and `NOT_FOUND` where nobody can have that id. */
export function userOfPath(request: GuardedRequest, named: string): string {
  const userId = readUuid(actingUser(request, named))
  if (userId === undefined) throw noAccount(named)
  return userId
}

export function noAccount(userId: string): PlatformError {
  return new PlatformError('NOT_FOUND', `user '${userId.slice(0, 64)}' has no account`)
}

/** The path of a request without its query: what an Idempotency-Key is scoped to. */
export function pathOf({ url }: GuardedRequest): string {
  return url.split('?', 1)[0] ?? url
}
