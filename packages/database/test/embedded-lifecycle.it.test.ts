import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { hasCode, PlatformError } from '@headrace/runtime'
import { runningEmbeddedServer, startEmbeddedServer } from '../src/embedded/index.ts'
import { emptyDirectory, notLinux, Owner, query, usedDirectory } from './embedded-owner.ts'

describe('the embedded server', () => {
  it('starts on an empty directory and keeps what was committed over a stop and a start', async (t) => {
    await using directory = await emptyDirectory()
    const dataDirectory = join(directory.path, 'made/when/missing')
    const first = await startEmbeddedServer({ dataDirectory })
    await query(first.url, 'create table kept as select 1 as id')
    await first.stop()
    assert.deepEqual(await first.exited, { code: 0, signal: null, expected: true })

    const since = performance.now()
    await using second = await startEmbeddedServer({ dataDirectory })
    t.diagnostic(`reopened in ${Math.round(performance.now() - since)} ms`)
    assert.deepEqual(await query(second.url, 'select id from kept'), [{ id: 1 }])
  })

  it('keeps its password in a file that only its owner may read, and takes no other', async () => {
    await using directory = await emptyDirectory()
    await using server = await startEmbeddedServer({ dataDirectory: directory.path })
    const file = join(directory.path, 'postgres.password')
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.equal((await readFile(file, 'utf8')).trim(), new URL(server.url).password)
    const wrong = new URL(server.url)
    wrong.password = 'guessed'
    await assert.rejects(query(wrong.href, 'select 1'), { code: '28P01' })
  })

  it('listens on the loopback address only and on no socket file', async () => {
    await using directory = await emptyDirectory()
    await using server = await startEmbeddedServer({ dataDirectory: directory.path })
    const [row] = await query(
      server.url,
      `select current_setting('listen_addresses') as addresses, current_setting('unix_socket_directories') as sockets`,
    )
    assert.deepEqual(row, { addresses: '127.0.0.1', sockets: '' })
  })

  it('is durable unless told otherwise', async () => {
    await using directory = await emptyDirectory()
    await using server = await startEmbeddedServer({ dataDirectory: directory.path })
    const names = ['fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums']
    const rows = await query(server.url, 'select name, setting from pg_settings where name = any($1)', [names])
    assert.equal(rows.length, names.length)
    for (const { name, setting } of rows) assert.equal(setting, 'on', name)
  })

  it('runs in a session of its own, so that Ctrl-C in the terminal does not stop it', {
    skip: notLinux(),
  }, async () => {
    await using directory = await usedDirectory()
    await using server = await startEmbeddedServer({ dataDirectory: directory.path })
    const fields = (await readFile(`/proc/${server.pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
    assert.equal(Number(fields[3]), server.pid, 'session id')
  })

  it('tells when it ends without having been asked', async () => {
    await using directory = await usedDirectory()
    await using server = await startEmbeddedServer({ dataDirectory: directory.path })
    process.kill(server.pid, 'SIGINT')
    assert.deepEqual(await server.exited, { code: 0, signal: null, expected: false })
  })

  it('writes neither statements nor values into its log', async () => {
    await using directory = await usedDirectory()
    const server = await startEmbeddedServer({ dataDirectory: directory.path })
    await query(server.url, 'create table t (secret text primary key)')
    await query(server.url, `insert into t values ('hunter2')`)
    await assert.rejects(query(server.url, `insert into t values ('hunter2')`), { code: '23505' })
    await assert.rejects(query(server.url, 'select $1::int', ['hunter2']), { code: '22P02' })
    await server.stop()
    const log = await readFile(join(directory.path, 'postgres.log'), 'utf8')
    assert.match(log, /ready to accept connections/)
    assert.doesNotMatch(log, /hunter2|insert|select/i)
  })

  it('gives its log line by line to who asks for it', async () => {
    await using directory = await emptyDirectory()
    const lines: string[] = []
    await using server = await startEmbeddedServer({ dataDirectory: directory.path, onLog: (line) => lines.push(line) })
    assert(lines.some((line) => line.includes('ready to accept connections')))
    await assert.rejects(stat(join(server.dataDirectory, 'postgres.log')), { code: 'ENOENT' })
  })

  it('ends a start that is aborted and leaves the directory free', async () => {
    await using directory = await emptyDirectory()
    const reason = new Error('no longer wanted')
    const stopping = new AbortController()
    const starting = startEmbeddedServer({ dataDirectory: directory.path, signal: stopping.signal })
    setTimeout(() => stopping.abort(reason), 200)
    await assert.rejects(starting, reason)
    await using server = await startEmbeddedServer({ dataDirectory: directory.path })
    assert.deepEqual(await query(server.url, 'select 1 as one'), [{ one: 1 }])
  })
})

describe('a second start on the same directory', () => {
  it('is refused with the owner, the directory and both ways out, and leaves the first alone', async () => {
    await using directory = await usedDirectory()
    await using owner = new Owner(directory.path)
    const { url, serverPid } = await owner.started()
    await assert.rejects(startEmbeddedServer({ dataDirectory: directory.path }), (error) => {
      assert(hasCode(error, 'DATABASE_IN_USE'))
      for (const part of [directory.path, `process ${owner.pid};`, 'HEADRACE_DATA', 'DATABASE_URL']) {
        assert(error.message.includes(part), `${part} is missing in: ${error.message}`)
      }
      assert.deepEqual(error.details, { directory: directory.path, ownerPid: owner.pid, serverPid })
      return true
    })
    assert.deepEqual(await query(url, 'select 1 as one'), [{ one: 1 }])
  })

  it('is refused to the same process too', async () => {
    await using directory = await usedDirectory()
    await using server = await startEmbeddedServer({ dataDirectory: directory.path })
    await assert.rejects(startEmbeddedServer({ dataDirectory: directory.path }), { code: 'DATABASE_IN_USE' })
    assert.deepEqual(await query(server.url, 'select 1 as one'), [{ one: 1 }])
  })

  it('at the same moment: one of two first starts wins and the other is refused', async () => {
    await using directory = await emptyDirectory()
    const attempts = [1, 2].map(() => startEmbeddedServer({ dataDirectory: directory.path }))
    const results = await Promise.allSettled(attempts)
    for (const result of results) if (result.status === 'fulfilled') await result.value.stop()
    const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    assert.equal(refusals.length, 1)
    assert(refusals[0] instanceof PlatformError && refusals[0].code === 'DATABASE_IN_USE', String(refusals[0]))
  })
})

describe('looking for a running server', () => {
  it('finds its address, its owner and its process through the data directory', async () => {
    await using directory = await usedDirectory()
    await using owner = new Owner(directory.path)
    const { url, serverPid } = await owner.started()
    assert.deepEqual(await runningEmbeddedServer(directory.path), { url, ownerPid: owner.pid, serverPid })
  })

  it('finds nothing where none was, and nothing after a stop', async () => {
    await using directory = await emptyDirectory()
    assert.equal(await runningEmbeddedServer(join(directory.path, 'nowhere')), undefined)
    const server = await startEmbeddedServer({ dataDirectory: directory.path })
    await server.stop()
    assert.equal(await runningEmbeddedServer(directory.path), undefined)
  })

  it('finds nothing when the number in postmaster.pid belongs to another process', async () => {
    await using directory = await usedDirectory()
    const server = await startEmbeddedServer({ dataDirectory: directory.path })
    const file = join(directory.path, 'postgres', 'postmaster.pid')
    const lines = await readFile(file, 'utf8')
    await server.stop()
    // Not our own: the server knows that its parent cannot be another server.
    await writeFile(file, lines.replace(/^\d+/, String(process.ppid)))
    assert.equal(await runningEmbeddedServer(directory.path), undefined)
    await using again = await startEmbeddedServer({ dataDirectory: directory.path })
    assert.deepEqual(await query(again.url, 'select 1 as one'), [{ one: 1 }])
  })
})
