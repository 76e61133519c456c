import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { CalculatorOptions } from './calculator.ts'

export interface Child extends AsyncDisposable {
  readonly publicUrl: string
  readonly internalUrl: string
  /** SIGKILL, and it is gone. */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  pause(): void
  resume(): void
}

const program = fileURLToPath(new URL('../fixtures/calculator-process.ts', import.meta.url))

/** The calculator in a process of its own, once it listens. */
export async function startChild(options: CalculatorOptions): Promise<Child> {
  const child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const ended = exited.then(([code]) => {
    throw new Error(`the process ended with ${code} before it was ready`)
  })
  ended.catch(() => {})
  const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string]
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  return {
    ...(JSON.parse(line) as { publicUrl: string; internalUrl: string }),
    kill,
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    [Symbol.asyncDispose]: kill,
  }
}
