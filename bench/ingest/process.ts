import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { startHeadrace } from '../../tests/support/headrace.ts'

/** A server under load, in a process of its own. */
export interface Server extends AsyncDisposable {
  readonly url: string
  readonly pid: number
}

/** Starts a script of this folder that prints its port as its first line. */
export async function startScript(script: string, ...args: string[]): Promise<Server> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) {
    return {
      url: `http://127.0.0.1:${line.trim()}`,
      pid: child.pid ?? 0,
      async [Symbol.asyncDispose]() {
        const exited = once(child, 'exit')
        child.kill('SIGTERM')
        await exited
      },
    }
  }
  throw new Error(`${script} printed no port`)
}

/** Starts the product, all in one process on its embedded database. */
export function startProduct(
  directory: string,
  port: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const environment = {
    ...settings,
    API_PORT: String(port),
    INGEST_PORT: 'off',
    PROCESSOR_PORT: 'off',
    CALCULATOR_PORT: 'off',
    CONSOLE_PORT: 'off',
    INTERNAL_PORT: '0',
    HEADRACE_DATA: directory,
  }
  return startHeadrace({ environment, url: `http://127.0.0.1:${port}` })
}
