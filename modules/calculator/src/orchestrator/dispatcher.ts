import { randomUUID } from 'node:crypto'
import type { Database } from '@headrace/database'
import { type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import type { WorkerTask } from '../contract.ts'
import type { ReadyBell } from '../ready-bell.ts'
import type { Answer, ClaimedTask, Slot, Verdict } from '../store/tasks.ts'
import { Poll, type PollRequest } from './polls.ts'
import { type Release, type TurnInput, type TurnNeeds, type TurnOutcome, takeTurn } from './turn.ts'
import { workerTask } from './worker-task.ts'

export interface DispatcherNeeds extends TurnNeeds {
  readonly database: Database
  readonly bell: ReadyBell
  readonly onError: OnBackgroundError
  /** Told which tasks have changed, after the commit. */
  readonly onChanged: (tasks: readonly ChangedTask[]) => void
}

export interface ChangedTask {
  readonly taskId: string
}

interface WaitingAnswer {
  readonly answer: Answer
  readonly resolve: (verdict: Verdict) => void
  readonly reject: (error: unknown) => void
}

/** Most answers and most leases in one turn. */
const turnSize = 512

/** What a ring that was lost costs at most, in ms. */
const lookMs = 500

/** Pause in ms after a turn that failed. */
const retryMs = 200

/**
 * Gives ready tasks to workers that wait for them, and counts what they answer. One turn at a time: what arrives
 * meanwhile shares the next one. Without news nothing is asked of the database but a look every half second while
 * workers wait.
 */
export class Dispatcher implements Running {
  readonly #needs: DispatcherNeeds
  readonly #answers: WaitingAnswer[] = []
  readonly #releases: Release[] = []
  readonly #look: Running
  readonly #endListening: () => void
  #polls: Poll[] = []
  /** There may be ready tasks that nobody has asked for since. */
  #mayClaim = false
  #isRunning = false
  #isStopping = false
  #onIdle: (() => void) | undefined

  constructor(needs: DispatcherNeeds) {
    this.#needs = needs
    this.#endListening = needs.bell.listen(() => this.#rung())
    this.#look = startLoop({
      name: 'calculator dispatch',
      run: async (signal) => {
        await sleep(lookMs, signal)
        if (!signal.aborted) this.#rung()
      },
      onError: needs.onError,
    })
  }

  /** Leases tasks, waiting for the first; none when there is none in time. */
  take(request: PollRequest): Promise<readonly WorkerTask[]> {
    if (this.#isStopping) return Promise.resolve([])
    const poll = new Poll(request, (over) => {
      this.#polls = this.#polls.filter((other) => other !== over)
    })
    if (!poll.isGone) this.#polls.push(poll)
    this.#rung()
    return poll.answer
  }

  /** Resolves when the answer is counted, or is known not to count. Rejects where the database cannot be asked. */
  answer(answer: Answer): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      this.#answers.push({ answer, resolve, reject })
      this.#kick()
    })
  }

  /** Gives a lease back; when that is lost the lease runs out by itself. */
  release(release: Release): void {
    this.#releases.push(release)
    this.#kick()
  }

  /** Sends workers away that wait, and takes no new ones. */
  endPolls(): void {
    this.#isStopping = true
    for (const poll of [...this.#polls]) poll.end()
  }

  async stop(): Promise<void> {
    this.#endListening()
    this.endPolls()
    await this.#look.stop()
    if (this.#isRunning) await new Promise<void>((resolve) => (this.#onIdle = resolve))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #rung(): void {
    if (this.#polls.length === 0) return
    this.#mayClaim = true
    this.#kick()
  }

  /** At the end of this turn of the event loop, so that what was read together is counted together. */
  #kick(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    setImmediate(() => void this.#run())
  }

  async #run(): Promise<void> {
    while (this.#hasWork) {
      const isDone = await this.#turn()
      if (!isDone) await sleep(retryMs)
    }
    this.#isRunning = false
    this.#onIdle?.()
  }

  get #hasWork(): boolean {
    return this.#answers.length > 0 || this.#releases.length > 0 || (this.#mayClaim && this.#polls.length > 0)
  }

  /** One transaction; false when it failed. */
  async #turn(): Promise<boolean> {
    const answers = this.#nextAnswers()
    const releases = this.#releases.splice(0, turnSize)
    const polls = [...this.#polls]
    const { slots, owners } = dealt(polls)
    for (const poll of polls) poll.offer()
    this.#mayClaim = false
    try {
      const input = { answers: answers.map(({ answer }) => answer), releases, slots }
      const outcome = await this.#commit(input)
      this.#tellAnswers(answers, outcome)
      this.#deliver(polls, owners, outcome.claimed)
      this.#follow(input, outcome)
      return true
    } catch (error) {
      this.#needs.onError(error, 'calculator dispatch')
      for (const { reject } of answers) reject(error)
      this.#deliver(polls, owners, [])
      this.#mayClaim = true
      return false
    }
  }

  #commit(input: TurnInput): Promise<TurnOutcome> {
    return this.#needs.database.inTransaction((tx) => takeTurn(tx, input, this.#needs))
  }

  /** One for each task: a second answer for the same waits for the next turn. */
  #nextAnswers(): WaitingAnswer[] {
    const seen = new Set<string>()
    const later: WaitingAnswer[] = []
    const next: WaitingAnswer[] = []
    for (const waiting of this.#answers.splice(0, turnSize)) {
      const isFirst = !seen.has(waiting.answer.taskId)
      seen.add(waiting.answer.taskId)
      if (isFirst) next.push(waiting)
      else later.push(waiting)
    }
    this.#answers.unshift(...later)
    return next
  }

  #tellAnswers(answers: readonly WaitingAnswer[], { judged }: TurnOutcome): void {
    const verdicts = new Map(judged.map(({ taskId, verdict }) => [taskId, verdict]))
    for (const { answer, resolve } of answers) resolve(verdicts.get(answer.taskId) ?? 'unknown')
  }

  #deliver(polls: readonly Poll[], owners: readonly Poll[], claimed: readonly ClaimedTask[]): void {
    const tasks = new Map<Poll, WorkerTask[]>(polls.map((poll) => [poll, []]))
    for (const task of claimed) {
      const owner = owners[task.slot]
      if (owner === undefined) continue
      // Nobody is there to compute it: the next one may have it at once.
      if (owner.isGone) this.release({ taskId: task.id, lease: task.lease })
      else tasks.get(owner)?.push(workerTask(task, this.#needs.times))
    }
    const waiting = new Set(polls.filter((poll) => poll.settle(tasks.get(poll) ?? [])))
    this.#polls = this.#polls.filter((poll) => waiting.has(poll) || !polls.includes(poll))
  }

  /** Looks again where there may be more, and leaves to others what nobody here waits for. */
  #follow({ answers, slots }: TurnInput, { judged, claimed, readied }: TurnOutcome): void {
    if (claimed.length === slots.length && slots.length > 0) this.#mayClaim = true
    if (readied > claimed.length) {
      this.#mayClaim = true
      this.#needs.bell.ringOthers()
    }
    if (answers.length === 0 && claimed.length === 0) return
    const counted = judged.filter(({ verdict }) => verdict === 'counted')
    this.#needs.onChanged([...counted, ...claimed.map(({ id }) => ({ taskId: id }))])
  }
}

/** Slots for all that wait, one for each in turn, so that what there is is shared evenly. */
function dealt(polls: readonly Poll[]): { readonly slots: Slot[]; readonly owners: Poll[] } {
  const owners: Poll[] = []
  const most = polls.reduce((sum, { max }) => sum + max, 0)
  for (let round = 0; owners.length < Math.min(most, turnSize); round += 1) {
    for (const poll of polls) if (poll.max > round && owners.length < turnSize) owners.push(poll)
  }
  return { owners, slots: owners.map(({ worker }) => ({ worker, lease: randomUUID() })) }
}
