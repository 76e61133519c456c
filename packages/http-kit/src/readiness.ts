import { maskCredentials, PlatformError, withDeadline } from '@headrace/runtime'

/** Asks one part for real, without side effects; rejects when it cannot be used. Gives up when the signal aborts. */
export type Probe = (signal: AbortSignal) => Promise<unknown>

export interface ReadinessReport {
  readonly isReady: boolean
  /** By name: `ok` or what is wrong. */
  readonly parts: Readonly<Record<string, string>>
}

export interface Readiness {
  /** Asks all parts side by side. Checks that come while a part is being asked share its answer. */
  check(): Promise<ReadinessReport>
}

export interface ReadinessOptions {
  /** How long one part may take, in ms; 2000 unless given. */
  readonly timeLimitMs?: number
  /** Told when a part fails that was well before, with the cause, which callers never see. */
  readonly onFailure?: (part: string, cause: unknown) => void
}

/** Readiness from named probes. Throws `RangeError` for the name `status`, which the answer needs itself. */
export function readiness(probes: Readonly<Record<string, Probe>>, options: ReadinessOptions = {}): Readiness {
  if (Object.hasOwn(probes, 'status')) throw new RangeError("a probe cannot be named 'status'")
  const parts = Object.entries(probes).map(([name, probe]) => ({ name, ask: asker(name, probe, options) }))
  return {
    async check() {
      const answers = await Promise.all(parts.map(async ({ name, ask }) => [name, await ask()] as const))
      return { isReady: answers.every(([, answer]) => answer === 'ok'), parts: Object.fromEntries(answers) }
    },
  }
}

function asker(name: string, probe: Probe, options: ReadinessOptions): () => Promise<string> {
  const timeLimitMs = options.timeLimitMs ?? 2000
  let running: Promise<unknown> | undefined
  let wasWell = true
  return async () => {
    // Also a probe that hangs beyond its limit is not started again beside itself.
    running ??= start(probe, timeLimitMs).finally(() => {
      running = undefined
    })
    const lateError = () => new PlatformError('UNAVAILABLE', `no answer within ${timeLimitMs} ms`)
    try {
      await withDeadline(running, timeLimitMs, lateError)
      wasWell = true
      return 'ok'
    } catch (error) {
      if (wasWell) options.onFailure?.(name, error)
      wasWell = false
      return whatIsWrong(error)
    }
  }
}

async function start(probe: Probe, timeLimitMs: number): Promise<unknown> {
  const giveUp = new AbortController()
  const timer = setTimeout(() => giveUp.abort(), timeLimitMs)
  try {
    return await probe(giveUp.signal)
  } finally {
    clearTimeout(timer)
  }
}

// A driver's own words, which what it caused repeats, are for the log: they tell addresses.
function whatIsWrong(error: unknown): string {
  if (!(error instanceof PlatformError)) return 'not available'
  return error.cause === undefined ? maskCredentials(error.message) : error.definition.title
}
