/** What the exit code of every command says. */
export const exitCodes = { ok: 0, failure: 1, usage: 2 } as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** A command that cannot be carried out as it was written. One line that names what is wrong and what is valid. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A command that failed for a reason that its message tells in full. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
}

/** A command that is over and has said everything: only its exit code is left. */
export class Ended extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode) {
    super(`ended with exit code ${exitCode}`)
    this.exitCode = exitCode
  }
}
