import { createHash, timingSafeEqual } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import { PlatformError } from '@headrace/runtime'
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'

/**
 * Who may use a route. Every route says so in its config; one that does not keeps the server from starting.
 *
 * - `public`: anybody.
 * - `person`: whoever has a token, once tokens are required; a token that is sent is always checked.
 * - `token`: whoever has a token, always.
 * - `internal`: other processes of ours: loopback only, and once `INTERNAL_TOKEN` is set, only its bearers.
 */
export type Access = 'public' | 'person' | 'token' | 'internal'

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly access?: Access
  }
}

/** Throws when the caller may not use the route; may answer by itself. */
export type Guard = (request: FastifyRequest, reply: FastifyReply) => void | Promise<void>

const rules: readonly string[] = ['public', 'person', 'token', 'internal'] satisfies Access[]

/** The route's rule; throws `RangeError` that names the route when it has none. */
export function accessOf(route: RouteOptions): Access {
  const access = route.config?.access
  if (access !== undefined && rules.includes(access)) return access
  const name = `${[route.method].flat().join(',')} ${route.url}`
  throw new RangeError(`route ${name} declares no access rule: set config.access to ${rules.join(', ')}`)
}

/** Lets in loopback callers, and once a token is set, only its bearers. */
export function internalGuard(token: string | undefined): Guard {
  if (token === undefined) {
    return (request) => {
      if (isLoopback(request.socket.remoteAddress)) return
      throw new PlatformError('FORBIDDEN', 'this route is for this machine only, unless INTERNAL_TOKEN is set')
    }
  }
  const expected = digest(`Bearer ${token}`)
  return (request) => {
    if (timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) return
    throw new PlatformError('UNAUTHORIZED', 'this route needs the internal token')
  }
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Tells whether an address, or the name `localhost`, is this machine's own. */
export function isLoopback(host: string | undefined): boolean {
  if (host === undefined) return false
  if (host === 'localhost') return true
  const address = host.replace(/^\[|\]$/g, '').replace(/^::ffff:(?=\d+\.)/i, '')
  const version = isIP(address)
  return version !== 0 && loopback.check(address, version === 6 ? 'ipv6' : 'ipv4')
}

// Digests are of equal length, so that comparing them tells nothing about the token's.
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
