import { PlatformError } from '@headrace/runtime'

/** The SQLSTATE of a PostgreSQL error (five characters), or undefined for any other error. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  const { code } = error
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E') ? code : undefined
}

/** Tells whether an insert met a row with the same key. */
export function isUniqueViolation(error: unknown): boolean {
  return sqlState(error) === '23505'
}

const infrastructureCodes = [
  'DATABASE_UNAVAILABLE',
  'COMMIT_UNKNOWN',
  'KEYVALUE_UNAVAILABLE',
  'QUEUE_UNAVAILABLE',
  'PUBLISH_REFUSED',
  'PUBLISH_UNKNOWN',
]
const infrastructureClasses = ['08', '40', '53', '57', '58']
const infrastructureStates = ['25P03', '25P04', '55P03']

/**
 * Tells whether the error comes from the database's state and not from what was asked: a lost connection, a deadlock,
 * a full disk, a shutdown, a time limit of the session. The same work may then succeed later, so it is never counted
 * as a handler's attempt. A cancelled statement (57014) is the statement's own fault.
 * (PostgreSQL, Appendix A. PostgreSQL Error Codes.)
 */
export function isInfrastructureError(error: unknown): boolean {
  if (error instanceof PlatformError) return infrastructureCodes.includes(error.code)
  const state = sqlState(error)
  if (state === undefined) return isConnectionError(error)
  if (state === '57014') return false
  return infrastructureClasses.includes(state.slice(0, 2)) || infrastructureStates.includes(state)
}

/** What the system says of a socket; other codes of its (ENOENT, ENOSPC, …) are the fault of whoever got them. */
const socketCodes = [
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'ENETUNREACH',
  'ENOTCONN',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]

const connectionMessages = [
  'Connection terminated',
  'Client has encountered a connection error',
  'Client was closed',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Cannot use a pool after calling end',
  'Connection ended',
]

/** Tells whether an error without SQLSTATE says that the connection is gone. The client gives these no code. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (socketCodes.includes(code) || code.startsWith('ERR_SOCKET')) return true
  return connectionMessages.some((text) => error.message.startsWith(text))
}

/** Wraps connection errors once, at this package's boundary; every other error passes as it is. */
export function wrapDatabaseError(error: unknown): unknown {
  const state = sqlState(error)
  const gone =
    state === undefined
      ? isConnectionError(error)
      : ['08', '25P03', '25P04', '57P0', '53300'].some((c) => state.startsWith(c))
  if (!gone || state === '57014') return error
  const reason = error instanceof Error ? error.message : String(error)
  return new PlatformError('DATABASE_UNAVAILABLE', `the database is not available: ${reason}`, { cause: error })
}
