import { PlatformError } from '@headrace/runtime'
import type { FastifyRequest } from 'fastify'

/** Who a token was issued to. */
export interface Person {
  /** The account's integer id: the token's `sub`. */
  readonly id: number
  /** The same account's UUID: the token's `uid`. */
  readonly uid: string
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the route's guard, before the body is parsed. */
    person: Person | undefined
  }
}

/** The person whose token came with the request; undefined where none came and none is required. */
export function personOf(request: FastifyRequest): Person | undefined {
  return request.person
}

/**
 * The user that a request acts for, as a UUID: the token's, else the one that the request names; undefined where
 * neither is there. Throws `FORBIDDEN` when the request names another user than its token.
 */
export function actingUser(request: FastifyRequest, named?: string): string | undefined {
  const person = personOf(request)
  if (person === undefined) return named
  if (named === undefined || isSame(person, named)) return person.uid
  throw new PlatformError('FORBIDDEN', `user_id '${named}' is not the token's own`)
}

/**
 * Refuses a request whose path, query or body names another user than its token, with `FORBIDDEN`: also where the route
 * does not look at it, so that nobody believes that it was done for that user. Run by every route that knows its caller.
 */
export function requireOwnName(request: FastifyRequest): void {
  if (request.person === undefined) return
  // Parsed, if there is any; looked at field by field.
  for (const place of [request.params, request.query, request.body] as readonly unknown[]) {
    if (typeof place !== 'object' || place === null || !Object.hasOwn(place, 'user_id')) continue
    const { user_id: named } = place as { readonly user_id: unknown }
    if (typeof named === 'string' || typeof named === 'number') actingUser(request, String(named))
  }
}

/**
 * Tells whether a resource may be seen: by its owner, and by everybody where no token came and none is required. What
 * belongs to nobody is seen only so.
 */
export function maySee(request: FastifyRequest, owner: string | number | undefined): boolean {
  const person = personOf(request)
  return person === undefined || (owner !== undefined && isSame(person, String(owner)))
}

function isSame(person: Person, named: string): boolean {
  return named === String(person.id) || named.toLowerCase() === person.uid
}
