/** One line of what a test file's process reports while it runs. */
export interface TestEvent {
  /** `begin` and `end` come at once, `start`, `pass` and `fail` in the order of the file. */
  readonly kind: 'begin' | 'end' | 'start' | 'pass' | 'fail'
  readonly name: string
  readonly nesting: number
  readonly suite?: boolean
  /** Why it was skipped or left for later. */
  readonly skip?: string
  /** What went wrong; absent where only tests inside it failed. */
  readonly error?: string
}

export interface FoundFailure {
  readonly name: string
  readonly error: string
}

export interface FoundSkip {
  readonly name: string
  readonly reason: string
}

export interface Findings {
  readonly passed: number
  readonly failures: readonly FoundFailure[]
  readonly skips: readonly FoundSkip[]
  /** Tests that had begun and not ended. */
  readonly running: readonly string[]
}

/** Sums up a file's events: suites count only where they were skipped, or failed by themselves (a hook). */
export function sumUp(events: readonly TestEvent[]): Findings {
  const path: string[] = []
  const running: string[] = []
  const failures: FoundFailure[] = []
  const skips: FoundSkip[] = []
  let passed = 0
  for (const event of events) {
    if (event.kind === 'begin') running.push(event.name)
    if (event.kind === 'end' && running.includes(event.name)) running.splice(running.lastIndexOf(event.name), 1)
    if (event.kind === 'start') path[event.nesting] = event.name
    if (event.kind !== 'pass' && event.kind !== 'fail') continue
    const name = path.slice(0, event.nesting + 1).join(' › ')
    if (event.skip !== undefined) skips.push({ name, reason: event.skip })
    else if (event.kind === 'fail' && event.error !== undefined) failures.push({ name, error: event.error })
    else if (event.kind === 'pass' && !event.suite) passed += 1
  }
  return { passed, failures, skips, running }
}
