import { messageOf, PlatformError } from '@headrace/runtime'

/** One thing that `doctor` looked at. */
export interface Finding {
  /** What was looked at. */
  readonly about: string
  /** `broken` keeps a start from succeeding; a `note` is worth knowing. */
  readonly state: 'ok' | 'note' | 'broken'
  readonly text: string
  /** What to do about it. */
  readonly fix?: string
}

/** What an error says, with what the operator does about it. */
export function broken(about: string, error: unknown): Finding {
  const fix = error instanceof PlatformError ? { fix: error.definition.operator } : {}
  return { about, state: 'broken', text: messageOf(error), ...fix }
}
