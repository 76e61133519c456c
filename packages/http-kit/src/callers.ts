import { isInfrastructureError } from '@headrace/database'
import { PlatformError } from '@headrace/runtime'
import type { FastifyRequest, RouteOptions } from 'fastify'
import type { Guard } from './access.ts'
import { askToComeAgain } from './event-stream.ts'
import type { Person } from './person.ts'

/** How a server finds out who asks. */
export interface Callers {
  /** True where `person` routes are for those only who say who they are. */
  readonly required: boolean
  /** Whose an access token is; undefined when it is not valid. */
  byToken(token: string): Person | undefined
  /** Whose a ticket for this stream route is; undefined when it is unknown, late or another route's. */
  byTicket?(ticket: string, route: string): Promise<Person | undefined>
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * A stream of server-sent events: a browser, which can send no header there, may come with `?ticket=`. `elsewhere`:
     * the request is handed on to another process, which checks the ticket.
     */
    readonly stream?: boolean | 'elsewhere'
  }
}

/** The query parameter that holds a ticket. */
const ticketParameter = 'ticket'

/**
 * Finds out who asks. A token or ticket that is there is always checked: a bad one is `UNAUTHORIZED`, also where none is
 * needed, and so is a ticket on a route that is no stream. `isNeeded`: nobody gets in without one.
 */
export function callerGuard(callers: Callers, route: RouteOptions, isNeeded: boolean): Guard {
  const stream = route.config?.stream
  return (request, reply) => {
    const { authorization } = request.headers
    if (authorization !== undefined) {
      request.person = bearer(callers, authorization)
      return
    }
    const ticket = ticketOf(request)
    if (ticket !== undefined && stream === 'elsewhere') return
    if (ticket !== undefined) {
      return admitByTicket(callers, request, stream === true ? ticket : '').catch((error: unknown) => {
        // It is a browser that comes with a ticket: while nobody can look it up it is not sent away for good.
        if (!isInfrastructureError(error) || !askToComeAgain(request, reply)) throw error
      })
    }
    if (isNeeded) throw unauthorized('this route needs an access token (Authorization: Bearer …)')
  }
}

function bearer(callers: Callers, authorization: string): Person {
  const token = /^bearer +(\S+)$/i.exec(authorization)?.[1]
  const person = token === undefined ? undefined : callers.byToken(token)
  if (person !== undefined) return person
  throw unauthorized('the access token is not valid, or no longer')
}

/** The ticket of a request; an empty text where it is no single one. */
function ticketOf(request: FastifyRequest): string | undefined {
  // Parsed by the framework: an object of texts and lists of texts.
  const ticket = (request.query as Readonly<Record<string, unknown>>)[ticketParameter]
  return ticket === undefined || typeof ticket === 'string' ? ticket : ''
}

async function admitByTicket(callers: Callers, request: FastifyRequest, ticket: string): Promise<void> {
  const route = request.routeOptions.url ?? ''
  const person = ticket === '' ? undefined : await callers.byTicket?.(ticket, route)
  if (person === undefined) throw unauthorized('the ticket is unknown, late or for another route')
  request.person = person
}

function unauthorized(message: string): PlatformError {
  return new PlatformError('UNAUTHORIZED', message)
}
