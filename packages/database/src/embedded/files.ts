import { open } from 'node:fs/promises'

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
