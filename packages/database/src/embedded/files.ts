import { mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasSystemCode } from '@headrace/runtime'

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r')
  await directory.sync()
}

/** Writes a new file that only its owner may read, on disk when this resolves. */
export async function writeSecret(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(text)
  await file.sync()
}

/**
 * Makes a directory where it is missing, and those above it. Node's own `recursive` never ends where the system makes no
 * directories (`/proc`).
 */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    if (hasSystemCode(error, 'EEXIST') && (await stat(path)).isDirectory()) return
    if (!hasSystemCode(error, 'ENOENT') || dirname(path) === path) throw error
    await makeDirectory(dirname(path), mode)
    await mkdir(path, { mode }).catch((again: unknown) => {
      // Somebody else was faster.
      if (!hasSystemCode(again, 'EEXIST')) throw again
    })
  }
}
