import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { sleep } from '@headrace/runtime'
import { startEmbeddedServer } from '../src/embedded/index.ts'
import { commandLine, identify } from '../src/embedded/processes.ts'
import { untilTrue } from '../src/testing/index.ts'
import { emptyDirectory, notRootOnLinux, Owner, query, usedDirectory, withoutTools } from './embedded-owner.ts'

/** A zombie, whom nobody has asked how it ended, is gone too. */
const isGone = async (pid: number) => (await identify(pid)) === undefined

describe('after kill -9 of the process that owns the server', () => {
  it('the server ends too, and the next start finds every committed row', async () => {
    await using directory = await usedDirectory()
    await using owner = new Owner(directory.path, { work: 'insert' })
    const { serverPid } = await owner.started()
    await owner.messages(200)
    await owner.kill()
    const ids = (await owner.messages(200)).flatMap((message) => (message.kind === 'committed' ? [message.id] : []))
    assert(ids.length >= 199, `only ${ids.length} commits were told`)
    await untilTrue('the server has followed its owner', () => isGone(serverPid))

    await using server = await startEmbeddedServer({ dataDirectory: directory.path })
    const rows = await query<{ id: number }>(server.url, 'select id from told order by id')
    const kept = new Set(rows.map(({ id }) => id))
    assert.deepEqual(
      ids.filter((id) => !kept.has(id)),
      [],
    )
    // One more may have been committed without having been told.
    assert(rows.length <= ids.length + 1, `${rows.length} rows, ${ids.length} told`)
  })

  it('the next start may come at once', async () => {
    await using directory = await usedDirectory()
    for (let round = 1; round <= 3; round += 1) {
      await using owner = new Owner(directory.path)
      await owner.started()
      process.kill(owner.pid, 'SIGKILL')
      await using server = await startEmbeddedServer({ dataDirectory: directory.path })
      assert.deepEqual(await query(server.url, 'select 1 as one'), [{ one: 1 }])
    }
  })

  for (const hidden of [['setpriv'], ['setpriv', 'flock']]) {
    it(`a server that lives on is told to end and waited for (without ${hidden.join(' and ')})`, {
      skip: notRootOnLinux(),
    }, async () => {
      await using directory = await usedDirectory()
      await using owner = new Owner(directory.path, { through: withoutTools(hidden) })
      const { serverPid } = await owner.started()
      process.kill(owner.pid, 'SIGKILL')
      await untilTrue('the owner is gone', () => isGone(owner.pid))
      assert((await commandLine(serverPid)).includes(directory.path), 'no orphan to wait for')

      await using server = await startEmbeddedServer({ dataDirectory: directory.path })
      assert.notEqual(server.pid, serverPid)
      assert.deepEqual(await query(server.url, 'select 1 as one'), [{ one: 1 }])
    })
  }

  it('an orphan that takes its time is waited for', async () => {
    await using directory = await usedDirectory()
    await using owner = new Owner(directory.path)
    const { serverPid } = await owner.started()
    process.kill(serverPid, 'SIGSTOP')
    process.kill(owner.pid, 'SIGKILL')
    const starting = startEmbeddedServer({ dataDirectory: directory.path })
    const early = await Promise.race([starting, sleep(100)])
    assert.equal(early, undefined, 'did not wait')
    process.kill(serverPid, 'SIGCONT')
    await using server = await starting
    assert.deepEqual(await query(server.url, 'select 1 as one'), [{ one: 1 }])
  })

  it('backends that outlive a killed server keep the next one waiting', { skip: notRootOnLinux() }, async () => {
    await using directory = await usedDirectory()
    const server = await startEmbeddedServer({ dataDirectory: directory.path })
    const [backend] = await query<{ pid: number }>(
      server.url,
      `select pid from pg_stat_activity where backend_type = 'checkpointer'`,
    )
    assert(backend !== undefined)
    process.kill(backend.pid, 'SIGSTOP')
    process.kill(server.pid, 'SIGKILL')
    await server.exited
    const starting = startEmbeddedServer({ dataDirectory: directory.path })
    assert.equal(await Promise.race([starting, sleep(100)]), undefined, 'did not wait')
    process.kill(backend.pid, 'SIGKILL')
    await using again = await starting
    assert.deepEqual(await query(again.url, 'select 1 as one'), [{ one: 1 }])
  })
})

describe('a first start that was killed in the middle', () => {
  for (const stage of ['', 'PG_VERSION', 'base/4']) {
    it(`leaves nothing in the way of the next one (killed at ${stage === '' ? 'the beginning' : stage})`, async () => {
      await using directory = await emptyDirectory()
      await using owner = new Owner(directory.path)
      const unfinished = async () => (await readdir(directory.path)).find((name) => name.startsWith('postgres.new-'))
      await untilTrue(`initdb has come to '${stage}'`, async () => {
        const name = await unfinished()
        if (name === undefined) return false
        return readdir(join(directory.path, name, 'cluster', stage, '..')).then(
          (names) => stage === '' || names.includes(stage.split('/').at(-1) ?? ''),
          () => false,
        )
      })
      await owner.kill()
      assert.notEqual(await unfinished(), undefined, 'killed too late to leave anything')

      await using server = await startEmbeddedServer({ dataDirectory: directory.path })
      assert.deepEqual(await query(server.url, 'select 1 as one'), [{ one: 1 }])
      assert.equal(await unfinished(), undefined)
    })
  }
})
