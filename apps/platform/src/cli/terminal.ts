import type { Environment } from '@headrace/runtime'

/** What a command has of the process it runs in. Only main makes one for real. */
export interface Terminal {
  /** The environment as it was found, without any file. */
  readonly env: Environment
  /** True when somebody sits before it, so that questions can be asked. */
  readonly interactive: boolean
  /** True when standard output is a terminal: it is then read by people. */
  readonly outputIsTerminal: boolean
  /** Writes one line to standard output: what was asked for. */
  out(line: string): void
  /** Writes one line to standard error: everything else. */
  err(line: string): void
  /** Asks a question and returns the answer. Only where `interactive`. */
  ask(question: string): Promise<string>
  /**
   * Resolves when the process is asked to stop. From the call on this is how it ends: a signal or an error that nobody
   * caught no longer ends it at once; only the second one does.
   */
  stopRequested(): Promise<Stop>
}

/** Why a process that runs was asked to stop. */
export type Stop =
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'crash'; readonly error: unknown }
