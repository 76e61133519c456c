import { Bell, backoffMs, type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import type { WorkerTask } from '../contract.ts'
import { compute } from '../domain/compute.ts'
import type { OrchestratorLink, TaskReport } from './link.ts'

export interface WorkerOptions {
  readonly link: OrchestratorLink
  /** Operations at a time. */
  readonly power: number
  readonly onError: OnBackgroundError
  /** How long operations under way are waited for when stopping, in ms; what takes longer is given back. */
  readonly drainMs?: number
}

const defaultDrainMs = 5_000

/** Pause in ms after an answer that came at once and held nothing. */
const pauseMs = 100

/** A worker: leases tasks, spends their operation time, computes, answers. */
export function startWorker(options: WorkerOptions): Running {
  const worker = new Worker(options)
  return { stop: () => worker.stop(), [Symbol.asyncDispose]: () => worker.stop() }
}

/** Pause in ms between two questions whether what is under way is still ours. */
const lookMs = 1_000

/** Modes: working → draining (takes nothing new) → stopped (what was still under way is given back). */
class Worker {
  readonly #options: WorkerOptions
  readonly #taking: Running
  readonly #reporting: Running
  readonly #looking: Running
  readonly #freed = new Bell()
  readonly #reported = new Bell()
  readonly #stopping = new AbortController()
  readonly #ending = new AbortController()
  /** What is under way, with what ends it early. */
  readonly #running = new Map<WorkerTask, AbortController>()
  /** Tasks that are being asked for. */
  #asked = 0
  #reports: TaskReport[] = []
  #stopped: Promise<void> | undefined

  constructor(options: WorkerOptions) {
    this.#options = options
    const { onError } = options
    const backoff = { baseMs: 100, maxMs: 2_000 }
    this.#taking = startLoop({ name: 'calculator worker', run: (signal) => this.#take(signal), onError, backoff })
    this.#reporting = startLoop({ name: 'calculator answers', run: (signal) => this.#report(signal), onError, backoff })
    this.#looking = startLoop({ name: 'calculator leases', run: (signal) => this.#look(signal), onError, backoff })
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    await this.#taking.stop()
    const { drainMs = defaultDrainMs, link } = this.#options
    const lateAt = performance.now() + drainMs
    while (this.#isBusy && performance.now() < lateAt) await this.#freed.wait(lateAt - performance.now())
    this.#ending.abort()
    while (this.#isBusy) await this.#freed.wait(1_000)
    await this.#looking.stop()
    await this.#reporting.stop()
    await this.#lastReports()
    await link.close()
  }

  get #isBusy(): boolean {
    return this.#running.size > 0
  }

  /** Tasks that can be asked for; none when stopping. */
  get #free(): number {
    return this.#stopping.signal.aborted ? 0 : this.#options.power - this.#running.size - this.#asked
  }

  async #take(signal: AbortSignal): Promise<void> {
    const { link } = this.#options
    const free = this.#free
    if (free <= 0) {
      await this.#freed.wait(60_000, signal)
      return
    }
    const askedAt = performance.now()
    this.#asked += free
    let tasks = await link.take(free, signal).finally(() => (this.#asked -= free))
    // An orchestrator that stops sends everybody away at once.
    if (tasks.length === 0 && performance.now() - askedAt < pauseMs) await sleep(pauseMs, signal)
    // What takes no time is answered here, and brings what comes next.
    while (this.#begin(tasks)) tasks = await this.#exchange(this.#free)
  }

  /** Begins tasks; tells whether some are done already. */
  #begin(tasks: readonly WorkerTask[]): boolean {
    const instant: WorkerTask[] = []
    for (const task of tasks) {
      if (task.operation_time > 0) void this.#run(task)
      else instant.push(task)
    }
    this.#reports.push(...instant.map(answered))
    return instant.length > 0
  }

  /** Never rejects: an operation has no way to fail but its outcome. */
  async #run(task: WorkerTask): Promise<void> {
    const cancelled = new AbortController()
    this.#running.set(task, cancelled)
    await sleep(task.operation_time, AbortSignal.any([this.#ending.signal, cancelled.signal]))
    this.#running.delete(task)
    if (cancelled.signal.aborted) {
      this.#freed.ring()
      return
    }
    this.#reports.push(this.#ending.signal.aborted ? { kind: 'release', task } : answered(task))
    this.#reported.ring()
  }

  /** What comes while a report is under way goes with the next one. */
  async #report(signal: AbortSignal): Promise<void> {
    if (this.#reports.length === 0) await this.#reported.wait(60_000, signal)
    if (this.#reports.length === 0) return
    const next = await this.#exchange(this.#free)
    if (this.#begin(next)) this.#reported.ring()
  }

  /** Tells what there is to tell, and takes as many tasks with the answer as the caller has room for. */
  async #exchange(most: number): Promise<readonly WorkerTask[]> {
    const reports = this.#reports.splice(0, 512)
    this.#asked += most
    try {
      return await this.#options.link.report(reports, most)
    } catch (error) {
      this.#reports.unshift(...reports)
      this.#reported.ring()
      throw error
    } finally {
      this.#asked -= most
      this.#freed.ring()
    }
  }

  /** What was cancelled, or is another's, frees its place at once. */
  async #look(signal: AbortSignal): Promise<void> {
    await sleep(lookMs, signal)
    const tasks = [...this.#running.keys()].filter((task) => task.operation_time > lookMs)
    if (signal.aborted || tasks.length === 0) return
    for (const task of await this.#options.link.lost(tasks)) this.#running.get(task)?.abort()
  }

  /** A few attempts: what is not told is computed again when its lease has run out. */
  async #lastReports(): Promise<void> {
    for (let attempt = 1; this.#reports.length > 0 && attempt <= 3; attempt += 1) {
      try {
        await this.#exchange(0)
      } catch (error) {
        this.#options.onError(error, 'calculator answers')
        await sleep(backoffMs(attempt, { baseMs: 100, maxMs: 1_000 }))
      }
    }
  }
}

function answered(task: WorkerTask): TaskReport {
  return { kind: 'answer', task, outcome: compute(task.operation, task.arg1, task.arg2) }
}
