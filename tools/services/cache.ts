import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { sleep } from '@headrace/runtime'

/** Where downloaded servers are kept: HEADRACE_SERVICES_CACHE, else the user's cache. */
export function cacheDirectory(): string {
  const { HEADRACE_SERVICES_CACHE, XDG_CACHE_HOME } = process.env
  return HEADRACE_SERVICES_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'headrace', 'services')
}

/**
 * The folder of this name in the cache, filled by `fill` unless it is there. Appears as a whole or not at all; of
 * several processes that want it at once one fills it.
 */
export async function cached(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const cache = cacheDirectory()
  const folder = join(cache, name)
  if (existsSync(folder)) return folder
  await mkdir(cache, { recursive: true })
  await using _lock = await locked(join(cache, `${name}.lock`))
  if (existsSync(folder)) return folder
  const filling = await mkdtemp(join(cache, `${name}.filling-`))
  try {
    await fill(filling)
    await rename(filling, folder)
  } finally {
    await rm(filling, { recursive: true, force: true })
  }
  return folder
}

/** Waits between two looks at a lock, in ms. */
const lockPauseMs = 200

/** Holds a lock file that names its owner, so that one left behind by a killed process holds up nobody. */
async function locked(path: string): Promise<AsyncDisposable> {
  while (!(await tryToLock(path))) {
    const owner = Number(await readFile(path, 'utf8').catch(() => ''))
    if (owner > 0 && !lives(owner)) await rm(path, { force: true })
    await sleep(lockPauseMs)
  }
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) }
}

async function tryToLock(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.writeFile(String(process.pid))
    await file.close()
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
}
