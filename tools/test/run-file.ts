import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestFile } from './discover.ts'
import { type Findings, type FoundFailure, sumUp, type TestEvent } from './events.ts'

export interface FileRun {
  readonly root: string
  readonly file: TestFile
  readonly timeoutMs: number
  /** Environment of the file's process. */
  readonly env: NodeJS.ProcessEnv
  /** Ends the file early. */
  readonly signal: AbortSignal
}

export interface FileResult extends Findings {
  readonly path: string
  readonly tookMs: number
  /** The file's own seed, where it has one. */
  readonly seed?: number
  /** What the file's process printed. */
  readonly output: string
}

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly timedOut: boolean
  readonly output: string
}

const reporter = fileURLToPath(new URL('reporter.ts', import.meta.url))
/** Between the polite and the final signal to a file that hangs, in ms. */
const graceMs = 2000
/** Output kept of one file; more is cut from its beginning. */
const outputLimitBytes = 200_000

/** Runs one test file in a process of its own and reports what it found; a file that hangs or dies is a failure with its name. */
export async function runFile(run: FileRun): Promise<FileResult> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-test-'))
  const startedAt = performance.now()
  try {
    const eventsPath = join(folder, 'events')
    const ended = await runProcess(run, eventsPath)
    const found = sumUp(await readEvents(eventsPath))
    const failures = [...found.failures, ...failureOfProcess(run, ended, found)]
    return { ...found, failures, path: run.file.path, tookMs: performance.now() - startedAt, output: ended.output }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function runProcess(run: FileRun, eventsPath: string): Promise<Ended> {
  const args = [`--test-reporter=${reporter}`, `--test-reporter-destination=${eventsPath}`, run.file.path]
  return new Promise((resolve, reject) => {
    // A process group of its own, so that children of a test that hangs go with it.
    const child = spawn(process.execPath, args, {
      cwd: run.root,
      env: run.env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = keepOutput()
    child.stdout.on('data', output.add)
    child.stderr.on('data', output.add)
    let timedOut = false
    const stop = endGroup(child.pid)
    const timer = setTimeout(() => {
      timedOut = true
      stop()
    }, run.timeoutMs)
    run.signal.addEventListener('abort', stop, { once: true })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      run.signal.removeEventListener('abort', stop)
      stop.finish()
      // Not 'close': a grandchild may hold the pipes open for ever. One turn lets what was written before arrive.
      setTimeout(() => resolve({ code, signal, timedOut, output: output.text() }), 20)
    })
  })
}

function endGroup(pid: number | undefined): (() => void) & { finish: () => void } {
  const send = (signal: NodeJS.Signals) => {
    if (pid === undefined) return
    try {
      process.kill(-pid, signal)
    } catch {
      // The group is gone already.
    }
  }
  let timer: NodeJS.Timeout | undefined
  const stop = () => {
    send('SIGTERM')
    timer ??= setTimeout(() => send('SIGKILL'), graceMs)
  }
  const finish = () => {
    clearTimeout(timer)
    send('SIGKILL')
  }
  return Object.assign(stop, { finish })
}

function keepOutput() {
  let text = ''
  return {
    add: (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-outputLimitBytes)
    },
    text: () => text,
  }
}

async function readEvents(path: string): Promise<TestEvent[]> {
  const text = await readFile(path, 'utf8').catch(() => '')
  // A process that was killed may leave half a line.
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TestEvent) // written by our own reporter
}

/** What the file as a whole did wrong, where no test of it says so already. */
function failureOfProcess(run: FileRun, ended: Ended, found: Findings): FoundFailure[] {
  const still = found.running.length === 0 ? '' : `; still running: ${found.running.join(' › ')}`
  if (ended.timedOut) {
    const why =
      still === '' ? '; its tests had ended: something holds the process open (a timer, socket or child)' : still
    return [{ name: 'the file hung', error: `${run.file.path} was ended after ${run.timeoutMs / 1000} s${why}` }]
  }
  if (run.signal.aborted)
    return [{ name: 'the file was interrupted', error: `${run.file.path} did not finish${still}` }]
  if (ended.signal !== null)
    return [{ name: 'the file died', error: `${run.file.path} died of ${ended.signal}${still}` }]
  if (ended.code !== 0 && found.failures.length === 0) {
    return [{ name: 'the file failed', error: `${run.file.path} exited with code ${ended.code}${still}` }]
  }
  if (ended.code === 0 && found.passed + found.skips.length + found.failures.length === 0) {
    return [{ name: 'the file is empty', error: `${run.file.path} holds no test` }]
  }
  return []
}
