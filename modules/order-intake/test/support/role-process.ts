import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface RolePlan {
  readonly role: 'api' | 'worker'
  /** The database. */
  readonly url: string
  readonly env?: Readonly<Record<string, string>>
}

/** A role in a process of its own, which can be killed and started again. It ends with this process at the latest. */
export class RoleProcess implements AsyncDisposable {
  /** Where an api answers now. */
  url = ''
  readonly #plan: RolePlan
  #child: ChildProcess | undefined

  private constructor(plan: RolePlan) {
    this.#plan = plan
  }

  static async start(plan: RolePlan): Promise<RoleProcess> {
    const made = new RoleProcess(plan)
    await made.start()
    return made
  }

  async start(): Promise<void> {
    const script = fileURLToPath(new URL('../fixtures/role.ts', import.meta.url))
    const child = spawn(process.execPath, [script, JSON.stringify(this.#plan)], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child = child
    const lines = createInterface({ input: child.stdout })
    const [line] = (await Promise.race([once(lines, 'line'), once(child, 'exit')])) as [unknown]
    if (typeof line !== 'string') throw new Error(`the ${this.#plan.role} ended before it was ready`)
    this.url = (JSON.parse(line) as { url: string }).url
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }
}
