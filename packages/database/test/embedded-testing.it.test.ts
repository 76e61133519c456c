import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { describe, it } from 'node:test'
import pg from 'pg'
import { identify } from '../src/embedded/processes.ts'
import { startTestServer, testDatabase, testServer, untilTrue } from '../src/testing/index.ts'
import { query } from './embedded-owner.ts'

const noPostgres15 = existsSync('/usr/lib/postgresql/15/bin/postgres') ? false : 'PostgreSQL 15 is not installed'

describe('testDatabase', () => {
  it('makes an empty database for each call, named after the test', async () => {
    await using first = await testDatabase({ name: 'lanes' })
    await using second = await testDatabase({ name: 'lanes' })
    assert.match(new URL(first.url).pathname, /^\/lanes_\w+$/)
    await query(first.url, 'create table t ()')
    await query(second.url, 'create table t ()')
  })

  it('drops it at the end although somebody is still connected', async () => {
    const database = await testDatabase()
    const client = new pg.Client({ connectionString: database.url })
    const cut = new Promise((resolve) => client.on('error', resolve))
    await client.connect()
    await database[Symbol.asyncDispose]()
    await cut
    await assert.rejects(query(database.url, 'select 1'), { code: '3D000' })
  })
})

describe('testServer', () => {
  it('comes back at the same address after a restart and after a kill, with what was committed', async () => {
    await using server = await testServer()
    await query(server.url, 'create table kept as select 1 as id')
    await server.restart()
    await query(server.url, 'insert into kept values (2)')
    await server.kill()
    await assert.rejects(query(server.url, 'select 1'), { code: 'ECONNREFUSED' })
    await server.restart()
    assert.deepEqual(await query(server.url, 'select id from kept order by id'), [{ id: 1 }, { id: 2 }])
  })
})

describe('startTestServer', () => {
  for (const { version, number, skip } of [
    { version: 'embedded', number: 18, skip: false },
    { version: 15, number: 15, skip: noPostgres15 },
  ] as const) {
    it(`starts PostgreSQL ${number} with the right to make databases`, { skip }, async () => {
      await using server = await startTestServer({ version })
      const [row] = await query<{ major: number }>(
        server.url,
        `select current_setting('server_version_num')::int / 10000 as major`,
      )
      assert.equal(row?.major, number)
      await query(server.url, 'create database another')
    })
  }
})

describe('a temporary directory', () => {
  it('goes with the process that made it, and so does the server in it', async () => {
    const script = `
      import { startTestServer } from '${new URL('../src/testing/index.ts', import.meta.url).href}'
      const { pid, url } = await startTestServer()
      process.stdout.write(JSON.stringify({ pid, url }) + '\\n')`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [text] = await once(child.stdout, 'data')
    const { pid, url } = JSON.parse(String(text)) as { pid: number; url: string }
    const [row] = await query<{ directory: string }>(url, `select current_setting('data_directory') as directory`)
    assert(row !== undefined && existsSync(row.directory))
    // Stopped, the server does not hear of its parent's death.
    process.kill(pid, 'SIGSTOP')
    child.kill('SIGKILL')
    await untilTrue('the server is gone', async () => (await identify(pid)) === undefined)
    await untilTrue('the directory is gone', () => !existsSync(row.directory))
  })
})

describe('untilTrue', () => {
  it('names what was missing when the deadline has passed', async () => {
    await assert.rejects(
      untilTrue('the moon is green', () => false, 20),
      { message: 'not within 20 ms: the moon is green' },
    )
  })

  it('resolves once the condition holds', async () => {
    let asked = 0
    await untilTrue('asked three times', () => ++asked === 3)
    assert.equal(asked, 3)
  })
})
