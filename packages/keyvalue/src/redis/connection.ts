import { backoffMs, messageOf, type OnBackgroundError, PlatformError, withDeadline } from '@headrace/runtime'
import { Redis } from 'ioredis'
import type { RedisAddress } from './address.ts'

export interface RedisOptions {
  readonly address: RedisAddress
  /** Told when the connection is lost or cannot be made; once an outage. */
  readonly onError: OnBackgroundError
  /** Longest time for one call in ms, waiting for a connection included; default 2 000. */
  readonly timeoutMs?: number
}

export const redisDefaults = { timeoutMs: 2_000 } as const

/**
 * One connection to Redis that is made again by itself. Nothing is queued while it is away and nothing is sent twice:
 * what was not answered is an error, and whether it was done is not known.
 */
export class RedisConnection {
  readonly client: Redis
  readonly #timeoutMs: number
  readonly #onError: (error: unknown) => void
  readonly #waiting = new Set<() => void>()
  #isTold = false
  #lastError = 'no connection yet'

  constructor(name: string, options: RedisOptions) {
    this.#timeoutMs = options.timeoutMs ?? redisDefaults.timeoutMs
    this.#onError = (error) => options.onError(error, name)
    this.client = new Redis(clientOptions(name, options.address, this.#timeoutMs))
    this.client.on('error', (error) => this.#away(error))
    this.client.on('ready', () => this.#back())
  }

  get isReady(): boolean {
    return this.client.status === 'ready'
  }

  /**
   * Sends commands once there is a connection. Throws `KEYVALUE_UNAVAILABLE` when there is none in time, when they are
   * not answered in time, and when the server refuses because of its own state; other refusals as a `RedisRefusal`.
   */
  async send<T>(commands: (client: Redis) => Promise<T>): Promise<T> {
    const end = performance.now() + this.#timeoutMs
    try {
      if (!this.isReady) await this.#ready()
      const late = () => new Error(`no answer within ${this.#timeoutMs} ms`)
      return await withDeadline(commands(this.client), Math.max(1, end - performance.now()), late)
    } catch (error) {
      throw wrapRedisError(error)
    }
  }

  /** Ends the connection; what is under way is answered first, within the time of a call. */
  async stop(): Promise<void> {
    const late = () => new Error('the server does not answer')
    const quit = this.isReady ? this.client.quit() : Promise.reject(new Error('not connected'))
    await withDeadline(quit, this.#timeoutMs, late).catch(() => undefined)
    this.client.disconnect()
    for (const wake of this.#waiting) wake()
  }

  /** Waits for a connection; rejects with what keeps it away. */
  async #ready(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.add(resolve)
    try {
      await withDeadline(promise, this.#timeoutMs, () => new Error(this.#lastError))
    } finally {
      this.#waiting.delete(resolve)
    }
  }

  #back(): void {
    this.#isTold = false
    for (const wake of this.#waiting) wake()
  }

  #away(error: unknown): void {
    if (error !== undefined) this.#lastError = plainError(error).message
    if (this.#isTold) return
    this.#isTold = true
    this.#onError(wrapRedisError(error))
  }
}

/** A command that Redis refused for what it says, not for the state that the server is in. */
export class RedisRefusal extends Error {
  /** The first word of the answer: `ERR`, `WRONGTYPE`, … */
  readonly code: string

  constructor(message: string) {
    super(message)
    this.name = 'RedisRefusal'
    this.code = codeOf(message)
  }
}

/** First words of refusals that pass, or that an operator mends: the same command may succeed later. */
const passing = new Set(
  'LOADING READONLY MASTERDOWN MISCONF OOM CLUSTERDOWN TRYAGAIN NOREPLICAS BUSY NOAUTH WRONGPASS NOPERM'.split(' '),
)

function wrapRedisError(error: unknown): Error {
  const plain = plainError(error)
  const isRefusal = error instanceof Error && error.name === 'ReplyError' && !passing.has(codeOf(plain.message))
  if (isRefusal) return new RedisRefusal(plain.message)
  const message = `the key-value store is not available: ${plain.message}`
  return new PlatformError('KEYVALUE_UNAVAILABLE', message, { cause: plain })
}

// The client's errors carry the command with its arguments: values, and the password that was sent.
function plainError(error: unknown): Error {
  const plain = new Error(messageOf(error))
  if (error instanceof Error && 'code' in error) Object.assign(plain, { code: error.code })
  return plain
}

function codeOf(message: string): string {
  return message.split(' ', 1)[0] ?? ''
}

function clientOptions(name: string, { host, port, user, password, db, tls }: RedisAddress, timeoutMs: number) {
  return {
    host,
    port,
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
    // The certificate is checked against the host.
    ...(tls === true && { tls: {} }),
    db: db ?? 0,
    connectionName: `headrace-${name.replaceAll(' ', '-')}`,
    enableAutoPipelining: true,
    // A command that waited out an outage would be done long after its caller was told that it failed.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    connectTimeout: timeoutMs,
    // A server that does not answer is given up, and with it the connection.
    socketTimeout: timeoutMs,
    // Never undefined: it is tried for ever.
    retryStrategy: (attempt: number) => 20 + backoffMs(attempt, { baseMs: 50, maxMs: 1_000 }),
    reconnectOnError: (error: Error) => codeOf(error.message) === 'READONLY',
  }
}
