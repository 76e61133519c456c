import { randomUUID } from 'node:crypto'
import type { Queryable } from '@headrace/database'
import {
  type BackgroundSet,
  backgroundSet,
  type OnBackgroundError,
  type Running,
  sleep,
  startLoop,
} from '@headrace/runtime'
import type { WorkerTask } from '../contract.ts'
import type { ReadyBell } from '../ready-bell.ts'
import { makeProgress, type NextTask, type Progress, type ProgressInput } from '../store/progress.ts'
import {
  type Answer,
  type Lease,
  type LeaseTimes,
  lostTasks,
  releaseTasks,
  type Slot,
  type Verdict,
} from '../store/tasks.ts'
import type { Milestones } from './milestones.ts'
import { Poll, type PollRequest } from './polls.ts'
import { workerTask } from './worker-task.ts'

export interface DispatcherNeeds {
  readonly database: Queryable
  /** Counts what ends expressions. */
  readonly milestones: Pick<Milestones, 'answer' | 'begin' | 'beginSoon'>
  readonly times: LeaseTimes
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
  readonly resolve: (verdict: Verdict | 'ends') => void
  readonly reject: (error: unknown) => void
}

/** Most answers and most leases in one turn. */
const turnSize = 512

/** Leases that are asked for where nobody knows how many tasks are ready; twice as many each time that all are used. */
const fewLeases = 32

/** Last tasks that are remembered: forgetting one costs a statement more. */
const mostLasts = 10_000

/** What a ring that was lost costs at most, in ms. */
const lookMs = 500

/** Pause in ms after a turn that failed. */
const retryMs = 200

/**
 * Gives ready tasks to workers that wait for them, and counts what they answer. One turn at a time: what arrives
 * meanwhile shares the next one. Without news nothing is asked of the database but a look every half second while
 * workers wait. Answers that end an expression go another way: a turn does not wait for the disk.
 */
export class Dispatcher implements Running {
  readonly #needs: DispatcherNeeds
  readonly #answers: WaitingAnswer[] = []
  readonly #background: BackgroundSet
  readonly #look: Running
  readonly #endListening: () => void
  /** Tasks given out here whose results are the values of their expressions. */
  readonly #lasts = new Set<string>()
  #polls: Poll[] = []
  /** There may be ready tasks that nobody has asked for since. */
  #mayClaim = true
  #mostLeases = fewLeases
  #isRunning = false
  #isStopping = false
  #onIdle: (() => void) | undefined

  constructor(needs: DispatcherNeeds) {
    this.#needs = needs
    this.#background = backgroundSet(needs.onError)
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

  /**
   * Leases tasks, waiting for the first; none when there is none in time. Who does not wait is told by a rejection that
   * the database cannot be asked.
   */
  take(request: PollRequest): Promise<readonly WorkerTask[]> {
    if (this.#isStopping || (request.isPassing && !this.#hasNews)) return Promise.resolve([])
    const poll = new Poll(request, (over) => {
      this.#polls = this.#polls.filter((other) => other !== over)
    })
    if (poll.isGone) return poll.answer
    if (request.waitMs > 0) this.#polls.push(poll)
    else this.#polls.unshift(poll)
    // Who waits is told when there is something new; another asks only now.
    if (request.waitMs === 0 && !request.isPassing) this.#mayClaim = true
    this.#kick()
    return poll.answer
  }

  /** Resolves when the answer is counted, or is known not to count. Rejects where the database cannot be asked. */
  async answer(answer: Answer): Promise<Verdict> {
    const isEnd = this.#lasts.delete(answer.taskId) || answer.outcome.kind === 'failed'
    const verdict = isEnd ? 'ends' : await this.#inTurn(answer)
    if (verdict !== 'ends') return verdict
    const ended = await this.#needs.milestones.answer(answer)
    if (ended === 'counted') this.#needs.onChanged([answer])
    return ended
  }

  /** Gives leases back; when that is lost they run out by themselves. */
  release(releases: readonly Lease[]): void {
    if (releases.length > 0) this.#background.add('calculator releases', this.#giveBack(releases))
  }

  /** Tasks of these leases that are no longer their holders': cancelled, or another's. */
  lost(leases: readonly Lease[]): Promise<readonly string[]> {
    return lostTasks(this.#needs.database, leases)
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
    await this.#background.settled()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #inTurn(answer: Answer): Promise<Verdict | 'ends'> {
    return new Promise((resolve, reject) => {
      this.#answers.push({ answer, resolve, reject })
      this.#kick()
    })
  }

  async #giveBack(releases: readonly Lease[]): Promise<void> {
    if ((await releaseTasks(this.#needs.database, releases)) === 0) return
    this.#needs.onChanged(releases)
    this.#needs.bell.ring()
  }

  #rung(): void {
    this.#mayClaim = true
    this.#kick()
  }

  /** At the end of this turn of the event loop, so that what was read together is counted together. */
  #kick(): void {
    if (this.#isRunning || !this.#hasWork) return
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
    return this.#answers.length > 0 || (this.#mayClaim && this.#polls.length > 0)
  }

  /** Something that may make a task ready, or has made one, since somebody last asked. */
  get #hasNews(): boolean {
    return this.#mayClaim || this.#answers.length > 0
  }

  /** One statement; false when it failed. */
  async #turn(): Promise<boolean> {
    const answers = this.#nextAnswers()
    const polls = [...this.#polls]
    const { slots, owners } = dealt(polls, this.#mostLeases)
    for (const poll of polls) poll.offer()
    this.#mayClaim = false
    const { database, times, onError } = this.#needs
    const input = { answers: answers.map(({ answer }) => answer), slots }
    try {
      const progress = await makeProgress(database, input, times)
      for (const { answer, resolve } of answers) resolve(progress.verdicts.get(answer.taskId) ?? 'unknown')
      await this.#begin(owners, progress.claimed)
      this.#deliver(polls, owners, progress.claimed)
      this.#follow(input, progress)
      return true
    } catch (error) {
      onError(error, 'calculator dispatch')
      for (const { reject } of answers) reject(error)
      for (const poll of polls) poll.fail(error)
      this.#deliver(polls, owners, [])
      this.#mayClaim = true
      return false
    }
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

  /** Who gets a task finds its expression begun, unless it answers at once. */
  async #begin(owners: readonly Poll[], claimed: readonly NextTask[]): Promise<void> {
    const { milestones, onError } = this.#needs
    const first = claimed.filter(({ isFirst }) => isFirst)
    if (first.length === 0) return
    const expressionIds = [...new Set(first.map(({ expressionId }) => expressionId))]
    milestones.beginSoon(expressionIds)
    if (first.every(({ slot }) => owners[slot]?.isBrief)) return
    // They are leased all the same, and what is not told now is told soon.
    await milestones.begin(expressionIds).catch((error: unknown) => onError(error, 'calculator beginnings'))
  }

  #deliver(polls: readonly Poll[], owners: readonly Poll[], claimed: readonly NextTask[]): void {
    const tasks = new Map<Poll, WorkerTask[]>(polls.map((poll) => [poll, []]))
    const given: Lease[] = []
    for (const task of claimed) {
      const owner = owners[task.slot]
      if (owner === undefined) continue
      // Nobody is there to compute it: the next one may have it at once.
      if (owner.isGone) given.push({ taskId: task.id, lease: task.lease })
      else tasks.get(owner)?.push(workerTask(task, this.#needs.times))
    }
    this.release(given)
    const waiting = new Set(polls.filter((poll) => poll.settle(tasks.get(poll) ?? [])))
    this.#polls = this.#polls.filter((poll) => waiting.has(poll) || !polls.includes(poll))
  }

  /** Looks again where there may be more, and leaves to others what nobody here waits for. */
  #follow({ answers, slots }: ProgressInput, { verdicts, claimed, readied }: Progress): void {
    const areAllUsed = claimed.length === slots.length && slots.length > 0
    this.#mostLeases = Math.min(Math.max(fewLeases, claimed.length * 2), turnSize)
    if (areAllUsed || readied > claimed.length) this.#mayClaim = true
    if (readied > claimed.length) this.#needs.bell.ringOthers()
    if (this.#lasts.size > mostLasts) this.#lasts.clear()
    for (const { id, isLast } of claimed) if (isLast) this.#lasts.add(id)
    const counted = answers.filter(({ taskId }) => verdicts.get(taskId) === 'counted')
    this.#needs.onChanged([...counted, ...claimed.map(({ id }) => ({ taskId: id }))])
  }
}

/** Slots for all that wait, one for each in turn, so that what there is is shared evenly. */
function dealt(polls: readonly Poll[], mostLeases: number): { readonly slots: Slot[]; readonly owners: Poll[] } {
  const owners: Poll[] = []
  const most = Math.min(
    mostLeases,
    polls.reduce((sum, { max }) => sum + max, 0),
  )
  for (let round = 0; owners.length < most; round += 1) {
    for (const poll of polls) if (poll.max > round && owners.length < most) owners.push(poll)
  }
  return { owners, slots: owners.map(({ worker }) => ({ worker, lease: randomUUID() })) }
}
