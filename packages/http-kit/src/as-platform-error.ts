import { isInfrastructureError, sqlState } from '@headrace/database'
import { PlatformError, type PlatformErrorCode } from '@headrace/runtime'

/** What the server framework says, in our words: its own texts are for developers. */
const frameworkErrors: Readonly<Record<string, readonly [PlatformErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['UNSUPPORTED_MEDIA_TYPE', 'the content type is not one that this route takes'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['BODY_TOO_LARGE', 'the body is larger than this route takes'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['INVALID_REQUEST', 'the body is not as long as Content-Length says'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['INVALID_REQUEST', 'the body is empty: expected JSON'],
  FST_ERR_BAD_URL: ['INVALID_REQUEST', 'the path is not a valid URL path'],
  FST_ERR_MAX_PARAM_LENGTH: ['INVALID_REQUEST', 'a part of the path is too long'],
}

const byStatus: Readonly<Record<number, PlatformErrorCode>> = {
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  408: 'REQUEST_TIMEOUT',
  413: 'BODY_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  503: 'UNAVAILABLE',
}

/** Whatever was thrown, as an error with a code; what is not known is `INTERNAL`. The cause is kept. */
export function asPlatformError(thrown: unknown): PlatformError {
  if (thrown instanceof PlatformError) return thrown
  // A deadlock, a full disk: with a state of its own the server has said that nothing was done.
  if (sqlState(thrown) !== undefined && isInfrastructureError(thrown)) {
    return new PlatformError('DATABASE_UNAVAILABLE', 'the database cannot do it now', { cause: thrown })
  }
  const { code, statusCode } = fields(thrown)
  const known = frameworkErrors[code]
  if (known !== undefined) return new PlatformError(known[0], known[1], { cause: thrown })
  const general = byStatus[statusCode] ?? (statusCode >= 400 && statusCode < 500 ? 'INVALID_REQUEST' : 'INTERNAL')
  return new PlatformError(general, 'the request could not be handled', { cause: thrown })
}

function fields(thrown: unknown): { readonly code: string; readonly statusCode: number } {
  if (typeof thrown !== 'object' || thrown === null) return { code: '', statusCode: 500 }
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
  const statusCode = 'statusCode' in thrown && typeof thrown.statusCode === 'number' ? thrown.statusCode : 500
  return { code: Object.hasOwn(frameworkErrors, code) ? code : '', statusCode }
}
