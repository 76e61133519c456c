import { withDeadline } from '@headrace/runtime'

/** A place where somebody waits until a test lets them pass. */
export interface Gate extends Disposable {
  /** Called by who is to wait; says that somebody has come. */
  pass(): Promise<void>
  /** Resolves when somebody has come. */
  readonly reached: Promise<void>
  open(): void
}

const deadlineMs = 30_000

export function gate(name: string): Gate {
  const reached = Promise.withResolvers<void>()
  const opened = Promise.withResolvers<void>()
  return {
    pass() {
      reached.resolve()
      return withDeadline(opened.promise, deadlineMs, () => new Error(`gate '${name}' was not opened`))
    },
    reached: withDeadline(reached.promise, deadlineMs, () => new Error(`gate '${name}' was not reached`)),
    open: opened.resolve,
    [Symbol.dispose]: opened.resolve,
  }
}
