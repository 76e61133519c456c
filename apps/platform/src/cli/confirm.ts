import { UsageError } from './exit-codes.ts'
import type { Terminal } from './terminal.ts'

export interface Confirmation {
  /** What will happen, as a question. */
  readonly question: string
  /** `--yes` was given. */
  readonly yes: boolean
}

/** Tells whether somebody agrees. Throws `UsageError` where nobody can be asked. */
export async function confirmed(terminal: Terminal, { question, yes }: Confirmation): Promise<boolean> {
  if (yes) return true
  if (!terminal.interactive) throw new UsageError(`${question} Nobody can be asked here: add --yes`)
  return /^y(es)?$/i.test((await terminal.ask(`${question} [y/N] `)).trim())
}
