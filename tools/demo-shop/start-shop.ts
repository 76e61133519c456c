import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../services/ports.ts'

export interface RunningShop extends AsyncDisposable {
  readonly url: string
}

const program = fileURLToPath(new URL('../../apps/platform/bin/headrace.mjs', import.meta.url))
/** Longest time in ms until it serves: the first start makes a database. */
const startMs = 60_000

/** Starts orders and payments in a process of their own, with a short time for payments that wait. */
export async function startShop(directory: string): Promise<RunningShop> {
  const url = `http://127.0.0.1:${await freePort()}`
  const settings = { PORT: new URL(url).port, HEADRACE_DATA: directory, PAYMENT_TIMEOUT_MS: '5s', LOG_LEVEL: 'warn' }
  const child = spawn(process.execPath, [program, 'run', '--only', 'payments,orders'], {
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(child, 'exit')
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  for (const since = performance.now(); !(await isReady(url)); await delay(50)) {
    if (performance.now() - since < startMs && child.exitCode === null) continue
    await stop()
    throw new Error('the shop did not start')
  }
  return { url, [Symbol.asyncDispose]: stop }
}

function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/ready`).then(
    ({ ok }) => ok,
    () => false,
  )
}
