import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type RunningServer, runningEmbeddedServer } from '@headrace/database'

/** What a process that owns a data directory tells others about itself. */
export interface RunningProcess {
  readonly pid: number
  readonly version: string
  /** RFC 3339. */
  readonly startedAt: string
  readonly roles: readonly string[]
  readonly addresses: readonly { readonly name: string; readonly url: string }[]
}

/** What is known about who uses a data directory. */
export interface Occupant {
  readonly server: RunningServer
  /** Undefined while it starts, and for a command that only uses the database for a moment. */
  readonly process: RunningProcess | undefined
}

/** Writes the file that others read; disposing removes it. It tells nothing that is not printed, too. */
export async function recordRunning(dataDirectory: string, running: RunningProcess): Promise<AsyncDisposable> {
  const path = pathIn(dataDirectory)
  const unfinished = `${path}.${running.pid}`
  await writeFile(unfinished, `${JSON.stringify(running, null, 2)}\n`)
  await rename(unfinished, path)
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) }
}

/** Who runs on a data directory now; undefined when nobody does. What a killed process left there does not count. */
export async function occupantOf(dataDirectory: string): Promise<Occupant | undefined> {
  const server = await runningEmbeddedServer(dataDirectory)
  if (server === undefined) return undefined
  const process = await readRunning(dataDirectory)
  return { server, process: process?.pid === server.ownerPid ? process : undefined }
}

async function readRunning(dataDirectory: string): Promise<RunningProcess | undefined> {
  try {
    // Written by `recordRunning`, whole or not at all.
    return JSON.parse(await readFile(pathIn(dataDirectory), 'utf8')) as RunningProcess
  } catch {
    return undefined
  }
}

function pathIn(dataDirectory: string): string {
  return join(dataDirectory, 'process.json')
}
