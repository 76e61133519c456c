import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Layout } from './layout.ts'
import { identify, isAlive } from './processes.ts'

/** `postgres.new-<pid>-<start time>-<random>`: the name tells whose it is. */
const pattern = /^postgres\.new-(\d+)-(\w+)-\w+$/

/** Makes a folder beside the cluster in which this process builds one. */
export async function makeWorkplace(layout: Layout): Promise<string> {
  const self = await identify(process.pid)
  const name = `postgres.new-${process.pid}-${self?.startedAt ?? 0}-${randomBytes(4).toString('hex')}`
  const path = join(layout.dataDirectory, name)
  await mkdir(path, { mode: 0o700 })
  return path
}

/** Removes what processes left that died while they built a cluster. */
export async function discardUnfinished(layout: Layout): Promise<void> {
  for (const name of await readdir(layout.dataDirectory)) {
    const match = pattern.exec(name)
    if (match === null) continue
    if (await isAlive({ pid: Number(match[1]), startedAt: match[2] ?? '' })) continue
    await rm(join(layout.dataDirectory, name), { recursive: true, force: true, maxRetries: 3 })
  }
}
