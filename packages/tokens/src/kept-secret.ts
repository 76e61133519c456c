import { randomUUID } from 'node:crypto'
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hasSystemCode, messageOf, PlatformError } from '@headrace/runtime'

/**
 * The secret in a file that only its owner may read; made when there is none yet. Of several processes that make it at
 * once one wins, and all have the same. Throws `INVALID_SETTING` when it can be neither read nor kept.
 */
export async function keptSecret(path: string, make: () => string): Promise<string> {
  try {
    return (await existing(path)) ?? (await keep(path, make()))
  } catch (cause) {
    throw new PlatformError('INVALID_SETTING', `no secret can be kept in ${path}: ${messageOf(cause)}`, { cause })
  }
}

async function existing(path: string): Promise<string | undefined> {
  try {
    const secret = (await readFile(path, 'utf8')).trim()
    // Copied or restored, it may have become readable for others.
    await chmod(path, 0o600)
    return secret
  } catch (error) {
    if (hasSystemCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Written aside and linked: the file is whole once it has its name, and the name is given once. */
async function keep(path: string, secret: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const draft = join(dirname(path), `.${randomUUID()}.tmp`)
  try {
    await writeFile(draft, `${secret}\n`, { mode: 0o600, flag: 'wx', flush: true })
    await link(draft, path)
    return secret
  } catch (error) {
    if (!hasSystemCode(error, 'EEXIST')) throw error
    return (await readFile(path, 'utf8')).trim()
  } finally {
    await rm(draft, { force: true })
  }
}
