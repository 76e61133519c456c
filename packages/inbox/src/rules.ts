import { backoffMs, PlatformError } from '@headrace/runtime'
import { MessageError, PoisonMessageError } from './errors.ts'
import { type Delivery, type Handle, type Subscription, subscriptionDefaults, type Work } from './types.ts'

/** What becomes of a message that failed, and of its key. */
export interface Verdict {
  readonly state: 'queued' | 'dead'
  readonly code: string
  readonly cause: unknown
  /** `ready`: its key waits and tries again; `blocked`: it waits for somebody; `free`: it goes on without it. */
  readonly keyState: 'ready' | 'blocked' | 'free'
  readonly waitMs: number
}

/** A subscription with its defaults filled in, and the decisions that follow from it. */
export interface Rules extends Required<Omit<Subscription, 'handle' | 'work'>> {
  readonly handle: Handle | undefined
  readonly work: Work | undefined
  readonly isWork: boolean
  /** The key under which a message waits. */
  queueKey(message: Delivery): string
  /** Decides about a failed message; `attempts` counts this one. */
  judge(error: unknown, attempts: number): Verdict
}

/** Checks a subscription and fills in its defaults. Throws `TypeError` or `RangeError` naming the field. */
export function rulesOf(subscription: Subscription): Rules {
  const { handle, work } = subscription
  if ((handle === undefined) === (work === undefined)) {
    throw new TypeError(`subscription ${subscription.group}: exactly one of handle and work must be given`)
  }
  const settings = { ...subscriptionDefaults, ...subscription }
  requireCounts(settings)
  return {
    ...settings,
    handle,
    work,
    isWork: work !== undefined,
    queueKey: settings.order === 'key' ? ({ key }) => key : uniqueKey,
    judge: (error, attempts) => judge(settings, error, attempts),
  }
}

/** Without an order each message waits for itself alone. */
function uniqueKey(message: Delivery): string {
  return `${message.origin?.log ?? ''}/${message.origin?.partition ?? ''}/${message.position}/${message.id}`
}

function judge(
  settings: Pick<Rules, 'maxAttempts' | 'afterDeath' | 'backoff'>,
  error: unknown,
  attempts: number,
): Verdict {
  const cause = error instanceof MessageError ? error.cause : error
  const state = 'dead'
  if (cause instanceof PoisonMessageError) return { state, code: cause.code, cause, keyState: 'free', waitMs: 0 }
  const keyState = settings.afterDeath === 'flow' ? 'free' : 'blocked'
  if (cause instanceof PlatformError && cause.code === 'CONSUMER_KILLED') {
    return { state, code: cause.code, cause, keyState, waitMs: 0 }
  }
  if (attempts >= settings.maxAttempts) return { state, code: 'ATTEMPTS_EXHAUSTED', cause, keyState, waitMs: 0 }
  const waitMs = backoffMs(attempts, settings.backoff)
  return { state: 'queued', code: 'HANDLER_FAILED', cause, keyState: 'ready', waitMs }
}

function requireCounts(settings: Required<Omit<Subscription, 'handle' | 'work'>>): void {
  for (const field of ['concurrency', 'maxMessages', 'maxAttempts', 'workTimeoutMs', 'maxReady'] as const) {
    const value = settings[field]
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`${field}: ${value} must be a whole number above 0`)
  }
}
