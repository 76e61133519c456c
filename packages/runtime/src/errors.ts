/**
 * What a caller may do about an error.
 *
 * - `never`: the same call fails again; the input or the state must change first.
 * - `later`: nothing was done; the same call may succeed later.
 * - `unknown`: it may or may not have been done; repeat only what is idempotent.
 */
export type RetryClass = 'never' | 'later' | 'unknown'

export interface ErrorDefinition {
  readonly retry: RetryClass
  /** HTTP status when this error reaches a caller over HTTP. */
  readonly status: number
  /** Short summary of the kind of problem; the same for every occurrence (RFC 9457 §3.1.4). */
  readonly title: string
  /** What it means and what the operator does about it. */
  readonly operator: string
  /**
   * What a caller over HTTP is told beyond code and title: `message`, and names of details, which become members of the
   * problem. Unless given: the message below status 500, nothing from 500 on, where messages may speak of the inside.
   */
  readonly tells?: readonly string[]
}

/** Errors by code. On the wire a code is written in lower case: `QUEUE_FULL` is `queue_full`. */
export type ErrorRegistry = Readonly<Record<string, ErrorDefinition>>

/**
 * The codes that packages raise. A module adds its own in its contract.
 * `docs/errors.md` is kept equal to this registry and the modules' by a test.
 */
export const platformErrors = {
  INVALID_SETTING: {
    retry: 'never',
    status: 500,
    title: 'invalid setting',
    operator:
      'A setting is malformed or unknown. The message names it, its value and the valid values; mend it and start again.',
  },
  MODULE_START_FAILED: {
    retry: 'later',
    status: 500,
    title: 'a module did not start',
    operator: 'The cause tells why; what had been started before it was stopped again.',
  },
  PORT_TAKEN: {
    retry: 'later',
    status: 500,
    title: 'a port is taken',
    operator: 'Another process listens there. The message names the port and the variable that changes it.',
  },
  STOP_TIMEOUT: {
    retry: 'unknown',
    status: 500,
    title: 'stopping took too long',
    operator:
      'Something did not finish by its deadline and was left. What was not committed is done again after the next start.',
  },
  DATABASE_UNAVAILABLE: {
    retry: 'later',
    status: 503,
    title: 'the database is not available',
    operator: 'No connection could be had in time. See /ready and the database’s own log; work resumes by itself.',
  },
  DATABASE_VERSION: {
    retry: 'never',
    status: 500,
    title: 'the database server is too old',
    operator: 'Headrace needs PostgreSQL 15 or newer.',
  },
  DATABASE_IN_USE: {
    retry: 'never',
    status: 500,
    title: 'the data directory is in use',
    operator:
      'Another Headrace runs on this data directory. Stop it, choose another HEADRACE_DATA, or share a server through DATABASE_URL.',
  },
  DATABASE_START_FAILED: {
    retry: 'later',
    status: 500,
    title: 'the embedded database did not start',
    operator:
      'The message holds the reason from its log: a full disk, missing rights, or a data directory of another version.',
  },
  DATABASE_UNSUPPORTED: {
    retry: 'never',
    status: 500,
    title: 'no embedded database for this platform',
    operator:
      'There is no embedded PostgreSQL for this platform. Set DATABASE_URL to a server (15 or newer); that works everywhere.',
  },
  SCHEMA_OUTDATED: {
    retry: 'never',
    status: 500,
    title: 'the schema is older than the program',
    operator: 'Run `headrace migrate`, or start without --no-migrate.',
  },
  MIGRATION_CHANGED: {
    retry: 'never',
    status: 500,
    title: 'an applied migration was changed',
    operator:
      'A migration that has already run differs from its file. Migrations only add: restore the file and write a new one.',
  },
  COMMIT_UNKNOWN: {
    retry: 'unknown',
    status: 503,
    title: 'the outcome is unknown',
    operator:
      'The connection was lost after COMMIT was sent and the outcome could not be settled in time. Repeating with the same Idempotency-Key is harmless.',
  },
  FENCED: {
    retry: 'later',
    status: 503,
    title: 'the lease was lost',
    operator: 'Another member took this partition or key over. Its work goes on there; nothing is to be done.',
  },
  TOPIC_UNKNOWN: {
    retry: 'never',
    status: 500,
    title: 'unknown topic',
    operator: 'A message was appended to a topic that no module has declared.',
  },
  TOPIC_PARTITIONS_CHANGED: {
    retry: 'never',
    status: 500,
    title: 'the number of partitions is fixed',
    operator:
      'A topic’s number of partitions is fixed at creation, because keys would move between partitions. Restore the old number or use a new topic.',
  },
  MESSAGE_TOO_LARGE: {
    retry: 'never',
    status: 413,
    title: 'message too large',
    operator: 'The message would be over MESSAGE_LIMIT_BYTES as encoded.',
  },
  MESSAGE_MALFORMED: {
    retry: 'never',
    status: 400,
    title: 'malformed message',
    operator:
      'The key, id or type of the message is too long, or holds NUL or lone surrogates. The message names the field.',
  },
  QUEUE_FULL: {
    retry: 'later',
    status: 503,
    title: 'the queue is full',
    operator:
      'The backlog or the number of requests in flight is at its limit. Nothing was accepted. Add consumers or raise the limit.',
    tells: ['message'],
  },
  QUEUE_UNAVAILABLE: {
    retry: 'later',
    status: 503,
    title: 'the queue is not available',
    operator: 'The queue could not be reached. Nothing was accepted.',
    tells: ['message', 'providers'],
  },
  BROKER_UNAVAILABLE: {
    retry: 'later',
    status: 503,
    title: 'the broker is not available',
    operator:
      'The carrier in use could not be reached or is not usable. What was accepted waits for it; nothing is lost.',
    tells: ['message'],
  },
  OUTCOME_UNKNOWN: {
    retry: 'unknown',
    status: 503,
    title: 'the outcome is unknown',
    operator:
      'The answer did not arrive in time: the message may have been accepted. Repeating with the same Idempotency-Key is harmless.',
    tells: ['message', 'messageId', 'providers'],
  },
  PUBLISH_REFUSED: {
    retry: 'later',
    status: 503,
    title: 'the carrier refused the messages',
    operator: 'The carrier took none of the messages; the reason is in the message.',
  },
  PUBLISH_UNKNOWN: {
    retry: 'unknown',
    status: 503,
    title: 'the carrier’s answer is missing',
    operator: 'The carrier may have taken the messages. They are published again; consumers recognise copies.',
  },
  KEYVALUE_UNAVAILABLE: {
    retry: 'unknown',
    status: 503,
    title: 'the key-value store is not available',
    operator:
      'The key-value store did not answer in time. A read learned nothing; a write may have been done. Work resumes by itself.',
  },
  LOG_REPLACED: {
    retry: 'later',
    status: 503,
    title: 'the database is another copy',
    operator:
      'After a failover or a restore the log is another incarnation than the one the process started on. It ends with this error; a supervisor starts it again, and consumers go on from what both copies hold.',
  },
  LANE_GAP: {
    retry: 'later',
    status: 500,
    title: 'messages are missing on every carrier',
    operator:
      'All carriers were read again and did not hold the next message of the lane. It is healed from the log; see `headrace queues`.',
  },
  POISON_MESSAGE: {
    retry: 'never',
    status: 500,
    title: 'poison message',
    operator: 'The message can never succeed and was set aside. See `headrace parked list`.',
  },
  CONSUMER_KILLED: {
    retry: 'never',
    status: 500,
    title: 'the message killed its consumer',
    operator:
      'The process died three times while it handled this message, which was therefore set aside. See `headrace parked show`.',
  },
  ATTEMPTS_EXHAUSTED: {
    retry: 'never',
    status: 500,
    title: 'attempts exhausted',
    operator:
      'The handler failed as often as its subscription allows. Mend the cause, then `headrace parked redrive` or `drop`.',
  },
  INVALID_REQUEST: {
    retry: 'never',
    status: 400,
    title: 'invalid request',
    operator: 'The caller sent something malformed; the detail names the field and the value.',
  },
  INVALID_EVENT_ID: {
    retry: 'never',
    status: 400,
    title: 'invalid event id',
    operator: 'A stream was to resume from an id that is no whole number or lies beyond its subject’s last event.',
  },
  UNAUTHORIZED: {
    retry: 'never',
    status: 401,
    title: 'unauthorized',
    operator: 'A token is missing or not valid.',
  },
  FORBIDDEN: {
    retry: 'never',
    status: 403,
    title: 'forbidden',
    operator: 'The token does not allow this.',
  },
  NOT_FOUND: {
    retry: 'never',
    status: 404,
    title: 'not found',
    operator: 'There is no such resource, or it belongs to somebody else.',
  },
  METHOD_NOT_ALLOWED: {
    retry: 'never',
    status: 405,
    title: 'method not allowed',
    operator: 'The route exists, but not with this method; Allow lists those that do.',
  },
  BODY_TOO_LARGE: {
    retry: 'never',
    status: 413,
    title: 'body too large',
    operator: 'The body is over BODY_LIMIT_BYTES.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    retry: 'never',
    status: 415,
    title: 'unsupported media type',
    operator: 'The content type or content encoding is not one that the route takes.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    retry: 'never',
    status: 422,
    title: 'idempotency key reused',
    operator: 'The same Idempotency-Key was sent with another body.',
  },
  IDEMPOTENCY_KEY_IN_PROGRESS: {
    retry: 'later',
    status: 409,
    title: 'a request with this key is running',
    operator: 'The first request with this Idempotency-Key has not finished; repeat after Retry-After.',
  },
  TOO_MANY_REQUESTS: {
    retry: 'later',
    status: 429,
    title: 'too many requests',
    operator:
      'A caller failed or asked too often, or more passwords are to be checked than the machine can; Retry-After says when to come back.',
  },
  HEADERS_TOO_LARGE: {
    retry: 'never',
    status: 431,
    title: 'headers too large',
    operator: 'The request line and headers are over 16 KiB.',
  },
  REQUEST_TIMEOUT: {
    retry: 'later',
    status: 408,
    title: 'the request did not arrive in time',
    operator: 'The client sent its request too slowly or not at all.',
  },
  UNAVAILABLE: {
    retry: 'later',
    status: 503,
    title: 'temporarily unavailable',
    operator: 'A part this depends on is not available, or the process is stopping.',
  },
  INTERNAL: {
    retry: 'unknown',
    status: 500,
    title: 'internal error',
    operator: 'A fault of the program. The log holds the cause under the request id.',
  },
} as const satisfies ErrorRegistry

export type PlatformErrorCode = keyof typeof platformErrors

export interface PlatformErrorOptions {
  /** Facts for logs and, where the code allows, for the caller: never secrets, SQL or driver text. */
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/**
 * An error with a stable code. Decide by `code` or `retry`, never by the message's text.
 * The message is lower case and names the thing and the value.
 */
export class PlatformError extends Error {
  readonly code: string
  readonly definition: ErrorDefinition
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: PlatformErrorCode | ModuleErrorCode, message: string, options: PlatformErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PlatformError'
    this.code = typeof code === 'string' ? code : code.code
    this.definition = typeof code === 'string' ? platformErrors[code] : code.definition
    this.details = options.details ?? {}
  }

  /** What a caller may do about it. */
  get retry(): RetryClass {
    return this.definition.retry
  }
}

/** A code of a module's own registry, made by `moduleError`. */
export interface ModuleErrorCode {
  readonly code: string
  readonly definition: ErrorDefinition
}

/** Names one code of a module's registry for use with `PlatformError`. */
export function moduleError<R extends ErrorRegistry>(registry: R, code: keyof R & string): ModuleErrorCode {
  const definition = registry[code]
  if (definition === undefined) throw new RangeError(`unknown error code '${code}'`)
  return { code, definition }
}

/** Tells whether an error is a `PlatformError` with this code. */
export function hasCode(error: unknown, code: PlatformErrorCode): error is PlatformError {
  return error instanceof PlatformError && error.code === code
}

/** Tells whether the operating system gave this error (`ENOENT`, `EEXIST`, …; errno(3)). */
export function hasSystemCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => error.code === code)
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
