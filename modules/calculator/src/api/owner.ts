import { personOf, type Request } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'

/** Whose token came with the request. */
export function userOf(request: Request): number {
  const person = personOf(request)
  if (person === undefined) throw new PlatformError('UNAUTHORIZED', 'this route needs an access token')
  return person.id
}
