import { PlatformError } from '@headrace/runtime'
import { type Static, Type } from 'typebox'

/** The shape of every error (RFC 9457), as it stands in the API's description. */
export const problemSchema = Type.Object(
  {
    type: Type.String({ description: 'Identifies the kind of problem: `urn:headrace:error:<code>`.' }),
    title: Type.String({ description: 'The same for every occurrence.' }),
    status: Type.Integer(),
    detail: Type.String({ description: 'What went wrong this time.' }),
    code: Type.String({ description: 'Stable, snake_case.' }),
    instance: Type.String({ description: 'The request id, as in the log.' }),
    error: Type.String({ description: 'A copy of `detail`.' }),
  },
  { title: 'Problem', additionalProperties: true },
)

export type Problem = Static<typeof problemSchema>

export const problemContentType = 'application/problem+json; charset=utf-8'

/** Writes an error as a problem. Never holds a stack, SQL or driver text: see `ErrorDefinition.tells`. */
export function problemOf(error: PlatformError, requestId: string): Problem {
  const { status, title } = error.definition
  const tells = error.definition.tells ?? (status < 500 ? ['message'] : [])
  const code = error.code.toLowerCase()
  const detail = tells.includes('message') ? error.message : title
  const known = { type: `urn:headrace:error:${code}`, title, status, detail, code, instance: requestId, error: detail }
  return { ...told(error, tells), ...known }
}

/** The headers that belong to a problem, besides its content type. */
export function problemHeaders(error: PlatformError): Record<string, string> {
  const { status } = error.definition
  const { retryAfterS, allow } = error.details
  // A conflict that will not pass by itself is not to be tried again.
  if (status === 503 || status === 429 || (status === 409 && error.retry === 'later')) {
    return { 'retry-after': String(typeof retryAfterS === 'number' ? Math.max(1, Math.ceil(retryAfterS)) : 1) }
  }
  if (status === 401) return { 'www-authenticate': 'Bearer' }
  return status === 405 && typeof allow === 'string' ? { allow } : {}
}

function told(error: PlatformError, tells: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(error.details).filter(([name]) => tells.includes(name)))
}

/** `INVALID_REQUEST`: the caller's fault, told to the caller. */
export function invalidRequest(message: string): PlatformError {
  return new PlatformError('INVALID_REQUEST', message)
}
