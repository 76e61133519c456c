import type { WorkerTask } from '../contract.ts'

/** A worker that asks for tasks. */
export interface PollRequest {
  /** Most tasks that it takes at a time. */
  readonly max: number
  /** Shown with its tasks. */
  readonly worker: string
  /** How long it waits for the first one; 0 asks once, and before those that wait. */
  readonly waitMs: number
  /** It has just answered something, and takes what there is news of. */
  readonly isPassing?: boolean
  /** It answers at once: the beginning of an expression may then be told a little later. */
  readonly isBrief?: boolean
  /** Aborts when nobody waits for the answer any more. */
  readonly signal?: AbortSignal
}

/** One that waits. Modes: waiting ⇄ offered (a turn may bring it tasks) → answered. */
export class Poll {
  readonly max: number
  readonly worker: string
  readonly isBrief: boolean
  readonly answer: Promise<readonly WorkerTask[]>
  readonly #waitMs: number
  readonly #isPassing: boolean
  readonly #signal: AbortSignal | undefined
  readonly #resolve: (tasks: readonly WorkerTask[]) => void
  readonly #reject: (error: unknown) => void
  readonly #onOver: (poll: Poll) => void
  readonly #timer: NodeJS.Timeout | undefined
  #isOffered = false
  #isOver: boolean

  constructor(request: PollRequest, onOver: (poll: Poll) => void) {
    const { max, worker, waitMs, isPassing = false, isBrief = false, signal } = request
    const { promise, resolve, reject } = Promise.withResolvers<readonly WorkerTask[]>()
    this.max = max
    this.worker = worker
    this.isBrief = isBrief
    this.answer = promise
    this.#waitMs = waitMs
    this.#isPassing = isPassing
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
    this.#onOver = onOver
    this.#isOver = false
    if (waitMs > 0) this.#timer = setTimeout(this.#end, waitMs)
    signal?.addEventListener('abort', this.#end, { once: true })
    if (signal?.aborted) this.#end()
  }

  /** True when nobody takes what it would bring. */
  get isGone(): boolean {
    return this.#signal?.aborted === true
  }

  /** A turn begins that may bring it tasks: it is not over before that has ended. */
  offer(): void {
    this.#isOffered = true
  }

  /** The turn has ended with these tasks for it. Tells whether it waits on. */
  settle(tasks: readonly WorkerTask[]): boolean {
    this.#isOffered = false
    if (tasks.length === 0 && !this.#isOver && this.#waitMs > 0) return true
    this.#finish(tasks)
    return false
  }

  /** The turn has failed: who has only asked whether there is a task must not hear that there is none. */
  fail(error: unknown): void {
    if (this.#waitMs === 0 && !this.#isPassing) this.#reject(error)
  }

  /** Answers with nothing, at once or when its turn has ended. */
  end(): void {
    this.#end()
  }

  readonly #end = (): void => {
    this.#isOver = true
    if (this.#isOffered) return
    this.#finish([])
    this.#onOver(this)
  }

  #finish(tasks: readonly WorkerTask[]): void {
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this.#end)
    this.#resolve(tasks)
  }
}
