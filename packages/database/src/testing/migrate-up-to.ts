import { cp, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type MigrationSource, migrate } from '../migrations.ts'
import type { Database } from '../types.ts'
import { temporaryDirectory } from './temporary.ts'

/**
 * Migrates as a version did that knew the last source's files only up to `file`, so that a test can insert what that
 * version would have, and then migrate the rest of the way. The sources before the last are applied completely.
 */
export async function migrateUpTo(
  database: Database,
  sources: readonly MigrationSource[],
  file: string,
): Promise<void> {
  const last = sources.at(-1)
  if (last === undefined) throw new RangeError('sources: none')
  const files = (await readdir(last.directory)).filter((name) => name.endsWith('.sql'))
  if (!files.includes(file)) throw new RangeError(`file: '${file}' is none of ${files.join(', ')}`)
  const older = await temporaryDirectory()
  try {
    const directory = join(older.path, last.name)
    await mkdir(directory)
    for (const name of files.filter((each) => each <= file)) {
      await cp(join(fileURLToPath(last.directory), name), join(directory, name))
    }
    await migrate(database, [...sources.slice(0, -1), { ...last, directory: pathToFileURL(`${directory}/`) }])
  } finally {
    await older.remove()
  }
}
