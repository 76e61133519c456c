import { readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hasSystemCode, PlatformError } from '@headrace/runtime'
import { type Account, asAccount, giveTo, openTo } from './account.ts'
import { startFailure } from './failures.ts'
import { syncDirectory } from './files.ts'
import { databaseName, type Layout } from './layout.ts'
import { ensurePassword } from './password.ts'
import { runProgram } from './programs.ts'
import type { ServerBinaries } from './types.ts'
import { discardUnfinished, makeWorkplace } from './workplace.ts'

export interface ClusterNeeds {
  readonly binaries: ServerBinaries
  readonly account: Account
  readonly layout: Layout
  readonly durable: boolean
  readonly onLog: (line: string) => void
  readonly signal?: AbortSignal | undefined
}

/**
 * Makes the cluster when there is none. It is built beside its place and moved there once it is whole and on disk, so
 * that a start that was killed in the middle leaves nothing half-finished; of two that build at once, one wins.
 */
export async function ensureCluster(needs: ClusterNeeds): Promise<void> {
  const { layout } = needs
  await discardUnfinished(layout)
  await openTo(needs.account, layout.dataDirectory)
  if (await isReady(needs)) return giveTo(needs.account, layout.cluster)
  const workplace = await makeWorkplace(layout)
  try {
    await ensurePassword(layout, workplace)
    for (const path of [layout.password, workplace]) await giveTo(needs.account, path)
    await initialise(needs, workplace)
    await moveIntoPlace(workplace, layout)
  } finally {
    await rm(workplace, { recursive: true, force: true })
  }
}

/** Tells whether there is a cluster of the right major version; throws for anything else that lies in its place. */
async function isReady({ binaries, layout }: ClusterNeeds): Promise<boolean> {
  const found = await readdir(layout.cluster).catch(absent)
  if (found.length === 0) return false
  const version = (await readFile(join(layout.cluster, 'PG_VERSION'), 'utf8').catch(absent)).toString().trim()
  if (version === String(binaries.major)) return true
  const reason =
    version === ''
      ? `${layout.cluster} holds files but no PostgreSQL cluster (PG_VERSION is missing); restore it or move it away`
      : `${layout.cluster} was made by PostgreSQL ${version} and this is PostgreSQL ${binaries.major}; ` +
        `use the Headrace that made it, or serve it with PostgreSQL ${version} and set DATABASE_URL, ` +
        'or carry its contents over with pg_dump, or start anew with another HEADRACE_DATA'
  const details = { directory: layout.dataDirectory, found: version, expected: binaries.major }
  throw new PlatformError('DATABASE_START_FAILED', `the embedded database did not start: ${reason}`, { details })
}

function absent(error: unknown): readonly string[] {
  if (hasSystemCode(error, 'ENOENT')) return []
  throw error
}

async function initialise(needs: ClusterNeeds, workplace: string): Promise<void> {
  const { binaries, account, layout, durable, onLog, signal } = needs
  // Comparison by code point and the same answers on every machine; before 17 that is the C library's task.
  const locale =
    binaries.major >= 17
      ? ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
      : ['--locale=C.UTF-8']
  const words = [
    ...asAccount(account, 'KILL'),
    join(binaries.directory, 'initdb'),
    `--pgdata=${join(workplace, 'cluster')}`,
    `--username=${databaseName}`,
    '--auth=scram-sha-256',
    `--pwfile=${layout.password}`,
    '--encoding=UTF8',
    '--data-checksums',
    // A new segment is zeroed while commits wait: 2 MiB hold them up for 7 ms, the usual 16 MiB for 55.
    '--wal-segsize=2',
    ...(durable ? [] : ['--no-sync']),
    ...locale,
  ]
  const { code, lines } = await runProgram(words, { account, signal })
  if (code === 0) return
  for (const line of lines) onLog(line)
  throw startFailure(layout.dataDirectory, new Error(`initdb ended with code ${code}`), lines)
}

async function moveIntoPlace(workplace: string, layout: Layout): Promise<void> {
  try {
    await rename(join(workplace, 'cluster'), layout.cluster)
  } catch (error) {
    // Another process was faster; its cluster has the same password.
    if (hasSystemCode(error, 'ENOTEMPTY', 'EEXIST')) return
    throw error
  }
  await syncDirectory(layout.dataDirectory)
}
