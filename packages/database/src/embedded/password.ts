import { randomBytes } from 'node:crypto'
import { link, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hasSystemCode, PlatformError } from '@headrace/runtime'
import { startFailure } from './failures.ts'
import { syncDirectory, writeSecret } from './files.ts'
import type { Layout } from './layout.ts'

/**
 * Makes the password of a cluster to be, unless there is one: two processes that build at once must agree on it, and
 * a link appears whole or not at all.
 */
export async function ensurePassword(layout: Layout, workplace: string): Promise<void> {
  const draft = join(workplace, 'password')
  await writeSecret(draft, `${randomBytes(24).toString('hex')}\n`)
  try {
    await link(draft, layout.password)
  } catch (error) {
    if (!hasSystemCode(error, 'EEXIST')) throw error
  }
  await syncDirectory(layout.dataDirectory)
}

/** The password that the cluster was made with. */
export async function readPassword(layout: Layout): Promise<string> {
  try {
    return (await readFile(layout.password, 'utf8')).trim()
  } catch (error) {
    if (!hasSystemCode(error, 'ENOENT')) {
      throw startFailure(layout.dataDirectory, error)
    }
    const advice = 'restore it from a backup, or start anew with another HEADRACE_DATA'
    const message = `the embedded database did not start: its password file ${layout.password} is missing; ${advice}`
    throw new PlatformError('DATABASE_START_FAILED', message, { details: { file: layout.password }, cause: error })
  }
}
