import { actingUser, invalidRequest } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'
import { readUuid } from '../domain/ids.ts'

/** A request as its guards have left it. */
export type GuardedRequest = Parameters<typeof actingUser>[0]

/** The user whom a request acts for. Throws `FORBIDDEN` for another's than the token's, and `INVALID_REQUEST`. */
export function requiredUser(request: GuardedRequest, named: string | undefined): string {
  const acting = actingUser(request, named)
  if (acting === undefined) throw invalidRequest('user_id is missing')
  const userId = readUuid(acting)
  if (userId === undefined) throw invalidRequest(`user_id is '${acting.slice(0, 64)}', not a UUID`)
  return userId
}

/** Not there, or somebody else's, which nobody is told. */
export function noOrder(): PlatformError {
  return new PlatformError('NOT_FOUND', 'there is no such order')
}
