import { createInterface } from 'node:readline/promises'
import { headrace } from './cli/headrace.ts'
import type { Stop, Terminal } from './cli/terminal.ts'

// The only file that touches the process: its signals, its exit, its environment and its streams.

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const
/** Time in ms after the last step in which everything that was held should be released. */
const leakPatienceMs = 3_000

/** Set once a command runs until it is stopped. */
let stopping: Stopping | undefined

interface Stopping {
  readonly requested: Promise<Stop>
  /** The first reason lets the command finish what is in flight; the second one ends the process at once. */
  request(stop: Stop, exitCode: number): void
}

const terminal: Terminal = {
  env: process.env,
  interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
  outputIsTerminal: process.stdout.isTTY === true,
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  ask,
  stopRequested,
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(question)
  } finally {
    lines.close()
  }
}

function stopRequested(): Promise<Stop> {
  stopping ??= newStopping()
  return stopping.requested
}

function newStopping(): Stopping {
  const { promise, resolve } = Promise.withResolvers<Stop>()
  let isRequested = false
  return {
    requested: promise,
    request(stop, exitCode) {
      // What is not committed is done again after the next start.
      if (isRequested) process.exit(exitCode)
      isRequested = true
      resolve(stop)
    },
  }
}

// Until something serves there is nothing to finish. Said here, since a container's first process has no default for it.
for (const [signal, number] of Object.entries(signalNumbers)) {
  process.on(signal, () => {
    if (stopping === undefined) process.exit(128 + number)
    stopping.request({ kind: 'signal', signal }, 128 + number)
  })
}

process.on('uncaughtException', (error) => {
  if (stopping === undefined) {
    process.stderr.write(`headrace: ${error.stack ?? error}\n`)
    process.exit(1)
  }
  stopping.request({ kind: 'crash', error }, 1)
})

// Whoever read our output is gone (`headrace sql … | head`). A command ends with that; a process that serves goes on.
process.stdout.on('error', () => {
  if (stopping === undefined) process.exit(0)
})
process.stderr.on('error', () => {})

process.exitCode = await headrace(process.argv.slice(2), terminal)

// Nothing should be left that keeps the process alive. If something is, it is named and not waited for.
setTimeout(() => {
  process.stderr.write(`headrace: still held open by ${process.getActiveResourcesInfo().join(', ')}\n`)
  process.exit()
}, leakPatienceMs).unref()
