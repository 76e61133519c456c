import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { sleep } from '@headrace/runtime'

const execute = promisify(execFile)

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Default 10 minutes: a cold download. */
  readonly timeoutMs?: number
}

/** Runs a program to its end and returns what it printed. Throws with the end of its output when it fails. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { cwd, env, timeoutMs = 600_000 } = options
  try {
    const { stdout } = await execute(program, args, {
      ...(cwd !== undefined && { cwd }),
      env: { ...process.env, ...env },
      timeout: timeoutMs,
      maxBuffer: 64 * 1024 * 1024,
    })
    return stdout
  } catch (cause) {
    // execFile rejects with an error that carries the output.
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }
    const said = (stderr.trim() || stdout.trim()).slice(-2_000)
    throw new Error(`${program} ${args[0] ?? ''} failed: ${said || String(cause)}`, { cause })
  }
}

/** Repeats what may fail for a moment, a download above all; the last failure is thrown. */
export async function retried<T>(work: () => Promise<T>, attempts = 3, pauseMs = 2_000): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (attempt >= attempts) throw error
      await sleep(attempt * pauseMs)
    }
  }
}

/** Where a program is on the search path; undefined when it is not. */
export async function programNamed(name: string): Promise<string | undefined> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/go/bin', '/usr/sbin']
  for (const folder of folders.filter((each) => each !== '')) {
    const path = join(folder, name)
    if (await canRun(path)) return path
  }
  return undefined
}

export async function canRun(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
