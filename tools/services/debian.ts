import { globSync } from 'node:fs'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { canRun, programNamed, retried, run } from './run.ts'

/** A program out of Debian's package of the same name, unpacked into the cache: that needs no rights. */
export async function debianProgram(name: string): Promise<string> {
  if ((await programNamed('apt-get')) === undefined) throw new Error(`${name} is not installed`)
  try {
    const folder = await cached(`debian-${name}`, (filling) => unpack(name, filling))
    for (const place of ['usr/bin', 'usr/sbin']) {
      const program = join(folder, place, name)
      if (await canRun(program)) return program
    }
    throw new Error(`the package holds no program ${name}`)
  } catch (cause) {
    throw new Error(`${name} is not installed (Debian: apt-get install ${name})`, { cause })
  }
}

async function unpack(name: string, folder: string): Promise<void> {
  await retried(() => run('apt-get', ['download', name], { cwd: folder }))
  const [archive] = globSync('*.deb', { cwd: folder })
  await run('dpkg-deb', ['-x', archive ?? '', folder], { cwd: folder })
}
