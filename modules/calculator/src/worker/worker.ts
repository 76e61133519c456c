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

/** Modes: working → draining (takes nothing new) → stopped (what was still under way is given back). */
class Worker {
  readonly #options: WorkerOptions
  readonly #taking: Running
  readonly #reporting: Running
  readonly #freed = new Bell()
  readonly #reported = new Bell()
  readonly #stopping = new AbortController()
  readonly #ending = new AbortController()
  #busy = 0
  #reports: TaskReport[] = []
  #stopped: Promise<void> | undefined

  constructor(options: WorkerOptions) {
    this.#options = options
    const { onError } = options
    const backoff = { baseMs: 100, maxMs: 2_000 }
    this.#taking = startLoop({ name: 'calculator worker', run: (signal) => this.#take(signal), onError, backoff })
    this.#reporting = startLoop({ name: 'calculator answers', run: (signal) => this.#report(signal), onError, backoff })
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
    while (this.#busy > 0 && performance.now() < lateAt) await this.#freed.wait(lateAt - performance.now())
    this.#ending.abort()
    while (this.#busy > 0) await this.#freed.wait(1_000)
    await this.#reporting.stop()
    await this.#lastReports()
    await link.close()
  }

  async #take(signal: AbortSignal): Promise<void> {
    const { link, power } = this.#options
    const free = power - this.#busy
    if (free <= 0) {
      await this.#freed.wait(60_000, signal)
      return
    }
    const askedAt = performance.now()
    const tasks = await link.take(free, signal)
    // An orchestrator that stops sends everybody away at once.
    if (tasks.length === 0 && performance.now() - askedAt < pauseMs) await sleep(pauseMs, signal)
    const instant: TaskReport[] = []
    for (const task of tasks) {
      if (task.operation_time > 0) void this.#run(task)
      else instant.push(answered(task))
    }
    if (instant.length > 0) this.#tell(instant)
  }

  /** Never rejects: an operation has no way to fail but its outcome. */
  async #run(task: WorkerTask): Promise<void> {
    this.#busy += 1
    await sleep(task.operation_time, this.#ending.signal)
    this.#busy -= 1
    this.#tell([this.#ending.signal.aborted ? { kind: 'release', task } : answered(task)])
    this.#freed.ring()
  }

  #tell(reports: readonly TaskReport[]): void {
    this.#reports.push(...reports)
    this.#reported.ring()
  }

  /** What comes while a report is under way goes with the next one. */
  async #report(signal: AbortSignal): Promise<void> {
    if (this.#reports.length === 0) await this.#reported.wait(60_000, signal)
    if (this.#reports.length > 0) await this.#reportAll()
  }

  async #reportAll(): Promise<void> {
    const reports = this.#reports.splice(0, 512)
    try {
      await this.#options.link.report(reports)
    } catch (error) {
      this.#reports.unshift(...reports)
      throw error
    }
  }

  /** A few attempts: what is not told is computed again when its lease has run out. */
  async #lastReports(): Promise<void> {
    for (let attempt = 1; this.#reports.length > 0 && attempt <= 3; attempt += 1) {
      try {
        await this.#reportAll()
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
