import { type App, actingUser, invalidRequest, type KeyedRequests } from '@headrace/http-kit'
import type { Live } from '@headrace/live'
import type { LogTransaction } from '@headrace/log'
import type { Accounts } from '@headrace/payments/contract'
import { type FaultPoints, PlatformError } from '@headrace/runtime'
import type { Station } from '@headrace/station'
import { readUuid } from '../domain/ids.ts'

export interface RouteNeeds {
  readonly app: App
  readonly station: Station
  readonly keyed: KeyedRequests<LogTransaction>
  readonly live: Live
  readonly accounts: Accounts
  readonly newId: () => string
  /** Numbers from 0 to below 1. */
  readonly random: () => number
  readonly faults: FaultPoints
}

/** A request as its guards have left it. */
export type GuardedRequest = Parameters<typeof actingUser>[0]

/** The user whom a request acts for: its token's, else the one that it names. Throws `FORBIDDEN` and `INVALID_REQUEST`. */
export function requiredUser(request: GuardedRequest, named: string | undefined): string {
  const acting = actingUser(request, named)
  if (acting === undefined) throw invalidRequest('user_id is missing')
  const userId = readUuid(acting)
  if (userId === undefined) throw invalidRequest('user_id must be a UUID')
  return userId
}

/** What a request names is not there, or belongs to somebody else, which nobody is told. */
export function noOrder(): PlatformError {
  return new PlatformError('NOT_FOUND', 'there is no such order')
}

/** The path of a request without its query: what an Idempotency-Key is scoped to. */
export function pathOf({ url }: GuardedRequest): string {
  return url.split('?', 1)[0] ?? url
}

/** The `traceparent` that a request came with. */
export function traceOf({ headers }: GuardedRequest): string | undefined {
  const header = headers['traceparent']
  return typeof header === 'string' ? header : undefined
}
