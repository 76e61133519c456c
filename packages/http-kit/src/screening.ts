import { PlatformError } from '@headrace/runtime'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { answerPreflight, applyCors, isPreflight, type OriginRule } from './cors.ts'
import { invalidRequest } from './problem.ts'
import { shownValue } from './shown-value.ts'

/** What every request is asked before its route: nothing that costs more than a look at its headers. */
export function screening(origins: { readonly rule: OriginRule }) {
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => {
    const { headers, url = '' } = request.raw
    if (headers.origin !== undefined) {
      applyCors(reply, headers.origin, origins.rule)
      if (isPreflight(request)) return void answerPreflight(reply)
    }
    const encoding = headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') return done(unsupportedEncoding(encoding))
    if (url.includes('%00')) return done(invalidRequest('the URL holds a NUL character (%00)'))
    done()
  }
}

// Bodies are never unpacked, so no small body becomes a large one.
function unsupportedEncoding(encoding: string): PlatformError {
  const message = `Content-Encoding ${shownValue(encoding)} is not supported: send the body as it is`
  return new PlatformError('UNSUPPORTED_MEDIA_TYPE', message)
}

/** 405 with the methods that the path takes, else 404. */
export function notFound(request: FastifyRequest, allowed: readonly string[]): PlatformError {
  const asked = `${request.method} ${shownValue(pathOf(request))}`
  if (allowed.length === 0) return new PlatformError('NOT_FOUND', `there is no ${asked}`)
  const allow = allowed.join(', ')
  return new PlatformError('METHOD_NOT_ALLOWED', `${asked} is not allowed, only ${allow}`, { details: { allow } })
}

/** A request's path without the query, which may hold a ticket. */
export function pathOf(request: FastifyRequest): string {
  return (request.raw.url ?? '').replace(/[?#].*$/s, '')
}
