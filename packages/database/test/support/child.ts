import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Lines of standard output. */
  readonly lines: readonly string[]
  readonly errors: string
}

/** Runs a fixture in a process of its own to its end, with fault points armed (`name=action`). */
export async function runFixture(fixture: string, args: readonly string[], faults = ''): Promise<Ended> {
  const script = fileURLToPath(new URL(`../fixtures/${fixture}`, import.meta.url))
  const env = { ...process.env, HEADRACE_FAULTS: faults }
  const child = spawn(process.execPath, [script, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [output, errors] = ['', '']
  child.stdout.on('data', (text) => (output += text))
  child.stderr.on('data', (text) => (errors += text))
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, lines: output.split('\n').filter((line) => line !== ''), errors }
}
