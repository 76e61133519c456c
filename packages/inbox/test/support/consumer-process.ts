import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { untilTrue } from '@headrace/database/testing'

export interface ConsumerPlan {
  readonly url: string
  readonly subscriptions: readonly { readonly topic: string; readonly mode: 'handle' | 'work' }[]
  /** Message that kills the process as soon as it is met. */
  readonly killedBy?: string
  /** Ends of the ids of messages whose first attempt fails. */
  readonly failing?: readonly string[]
  /** Messages that take `slowMs`. */
  readonly slow?: readonly string[]
  readonly slowMs?: number
  readonly afterDeath?: 'block' | 'flow'
}

type Said =
  | { readonly kind: 'started' }
  | { readonly kind: 'handled'; readonly topic: string; readonly ids: readonly string[] }

/** A consumer in a process of its own; disposing kills it. */
export class ConsumerProcess implements AsyncDisposable {
  /** What it said, in order. */
  readonly said: Said[] = []
  readonly #child
  readonly #exited: Promise<unknown>
  #noise = ''

  constructor(plan: ConsumerPlan, faults = '') {
    const script = fileURLToPath(new URL('../fixtures/consumer.ts', import.meta.url))
    const env = { ...process.env, HEADRACE_FAULTS: faults }
    this.#child = spawn(process.execPath, [script, JSON.stringify(plan)], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#exited = once(this.#child, 'exit')
    this.#child.stderr.on('data', (text) => (this.#noise += text))
    // Written by the fixture, in its own words.
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.said.push(JSON.parse(line) as Said))
  }

  /** What it wrote to standard error. */
  get noise(): string {
    return this.#noise
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves when it was killed; rejects after `deadlineMs`. */
  async killed(deadlineMs = 60_000): Promise<void> {
    await untilTrue(`the process is killed; it said: ${this.#noise}`, () => !this.isRunning, deadlineMs)
    if (this.#child.signalCode !== 'SIGKILL') throw new Error(`ended by itself: ${this.#noise}`)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) this.#child.kill('SIGKILL')
    await this.#exited
  }
}
