import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Running } from './module.ts'
import { type BackoffOptions, backoffMs, sleep } from './wait.ts'

/** Told of every failure in the background, with the name of what failed. */
export type OnBackgroundError = (error: unknown, name: string) => void

/** Promises that nobody awaits at once, yet that have an owner. */
export interface BackgroundSet {
  readonly size: number
  /** Hands a promise over: its failure goes to `onError`. */
  add(name: string, work: Promise<unknown>): void
  /** Resolves when none is left, those added meanwhile included. */
  settled(): Promise<void>
}

/** An empty set of background work. */
export function backgroundSet(onError: OnBackgroundError): BackgroundSet {
  const pending = new Set<Promise<void>>()
  return {
    get size() {
      return pending.size
    },
    add(name, work) {
      const tracked = work
        .then(
          () => {},
          (error: unknown) => onError(error, name),
        )
        .finally(() => pending.delete(tracked))
      pending.add(tracked)
    },
    async settled() {
      while (pending.size > 0) await Promise.all(pending)
    },
  }
}

export interface LoopOptions {
  readonly name: string
  /**
   * One pass: takes what there is to do, or waits for it (a `Bell`, `sleep`), and returns.
   * It gives up soon after the signal aborts, and looks at it before each write.
   */
  run(signal: AbortSignal): Promise<void>
  /** Told of each pass that failed; the next one comes after the backoff. */
  readonly onError: OnBackgroundError
  /** From 100 ms to 5 s unless given. */
  readonly backoff?: BackoffOptions
}

const defaultBackoff = { baseMs: 100, maxMs: 5000 } satisfies BackoffOptions

/**
 * Runs passes one after the other until stopped; a pass that fails is repeated after a backoff.
 * `stop` aborts the signal and waits for the pass that runs.
 */
export function startLoop(options: LoopOptions): Running {
  const stopping = new AbortController()
  const ended = passes(options, stopping.signal)
  const stop = async () => {
    stopping.abort()
    await ended
  }
  return { stop, [Symbol.asyncDispose]: stop }
}

export interface SweepOptions extends Pick<LoopOptions, 'name' | 'onError'> {
  /** Deletes what is past its time, at most `batchSize`; resolves with how many that were. */
  sweep(): Promise<number>
  readonly batchSize: number
  /** Pause in ms between two looks. */
  readonly everyMs: number
}

/** Sweeps now and then until stopped: after a full batch the next one comes at once, after any other a pause. */
export function startSweep({ name, sweep, batchSize, everyMs, onError }: SweepOptions): Running {
  return startLoop({
    name,
    async run(signal) {
      if ((await sweep()) < batchSize) await sleep(everyMs, signal)
    },
    onError,
  })
}

async function passes(options: LoopOptions, signal: AbortSignal): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    try {
      // A pass that never really waits must not keep sockets and timers from their turn.
      await nextTurn()
      if (signal.aborted) return
      await options.run(signal)
      failures = 0
    } catch (error) {
      if (signal.aborted && isAbort(error)) return
      options.onError(error, options.name)
      failures += 1
      await sleep(backoffMs(failures, options.backoff ?? defaultBackoff), signal)
    }
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
