import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { untilTrue } from '@headrace/database/testing'

export interface RelayPlan {
  readonly url: string
  readonly topic: string
  readonly provider: string
}

/** A relay in a process of its own; disposing kills it. */
export class RelayProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  #said = ''

  constructor(plan: RelayPlan, faults = '') {
    const script = fileURLToPath(new URL('../fixtures/relay.ts', import.meta.url))
    const env = { ...process.env, HEADRACE_FAULTS: faults }
    this.#child = spawn(process.execPath, [script, JSON.stringify(plan)], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#exited = once(this.#child, 'exit')
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on('data', (text) => (this.#said += text))
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async started(): Promise<void> {
    await untilTrue(`the relay has started; it said: ${this.#said}`, () => this.#said.includes('started'), 60_000)
  }

  async killed(): Promise<void> {
    await untilTrue(`the relay is killed; it said: ${this.#said}`, () => !this.isRunning, 60_000)
    if (this.#child.signalCode !== 'SIGKILL') throw new Error(`ended by itself: ${this.#said}`)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) this.#child.kill('SIGKILL')
    await this.#exited
  }
}
