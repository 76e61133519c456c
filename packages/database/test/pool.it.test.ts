import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { hasCode } from '@headrace/runtime'
import { openDatabase, requireSupportedServer } from '../src/index.ts'
import { testDatabase, testServer, untilTrue } from '../src/testing/index.ts'
import { startProxy } from './support/proxy.ts'

const unavailable = (error: unknown) => hasCode(error, 'DATABASE_UNAVAILABLE')

describe('a pool', () => {
  it('outlives the end of connections that nobody uses, and says that they ended', async () => {
    await using test = await testDatabase()
    const told: string[] = []
    await using database = openDatabase({ url: test.url, onError: (error) => told.push(error.message) })
    await using other = openDatabase({ url: test.url })
    const { rows } = await database.query<{ pid: number }>({ text: 'select pg_backend_pid() as pid' })
    await other.query({ text: 'select pg_terminate_backend($1)', values: [rows[0]?.pid] })
    await untilTrue('the end of the connection was told', () => told.length > 0)
    assert.equal(database.usage().total, 0)
    assert.equal((await database.query({ text: 'select 1' })).rowCount, 1)
  })

  it('is unavailable while the server is away and serves again once it is back', async () => {
    await using server = await testServer()
    await using database = openDatabase({ url: server.url })
    await database.query({ text: 'select 1' })
    for (const end of ['kill', 'stop'] as const) {
      await server[end]()
      // The backends of a killed server may answer once more.
      await untilTrue('the server is away', () => database.query({ text: 'select 1' }).then(() => false, unavailable))
      await assert.rejects(database.query({ text: 'select 1' }), unavailable)
      await assert.rejects(
        database.inTransaction(() => {}),
        unavailable,
      )
      await server.restart()
      await database.inTransaction((tx) => void tx.query({ text: 'select 1' }))
    }
  })

  it('counts connections in use, idle, and callers that wait for one', async () => {
    await using test = await testDatabase()
    await using database = openDatabase({ url: test.url, maxConnections: 2 })
    assert.deepEqual(database.usage(), { total: 0, idle: 0, waiting: 0 })
    const release = Promise.withResolvers<void>()
    const holding = Array.from({ length: 3 }, () => database.inTransaction(() => release.promise))
    await untilTrue('one waits', () => database.usage().waiting === 1)
    assert.deepEqual(database.usage(), { total: 2, idle: 0, waiting: 1 })
    release.resolve()
    await Promise.all(holding)
    assert.deepEqual(database.usage(), { total: 2, idle: 2, waiting: 0 })
  })

  it('is unavailable to who waits too long for a connection', async () => {
    await using test = await testDatabase()
    await using database = openDatabase({ url: test.url, maxConnections: 1, connectTimeoutMs: 50 })
    const release = Promise.withResolvers<void>()
    const holding = database.inTransaction(() => release.promise)
    await untilTrue('the connection is taken', () => database.usage().total === 1)
    await assert.rejects(database.query({ text: 'select 1' }), unavailable)
    release.resolve()
    await holding
  })

  it('never gives away a connection in the middle of a transaction', async () => {
    await using test = await testDatabase()
    await using database = openDatabase({ url: test.url, maxConnections: 1 })
    await database.query({ text: 'begin' })
    const { rows } = await database.query<{ started: boolean }>({
      text: 'select pg_current_xact_id_if_assigned() is not null or now() <> statement_timestamp() as started',
    })
    assert.equal(rows[0]?.started, false)
  })

  it('waits with its stop for transactions that run, which commit', async () => {
    await using test = await testDatabase()
    await using other = openDatabase({ url: test.url })
    await other.query({ text: 'create table kept (n int)' })
    const database = openDatabase({ url: test.url })
    const [started, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const running = database.inTransaction(async (tx) => {
      await tx.query({ text: 'insert into kept values (1)' })
      started.resolve()
      await release.promise
    })
    await started.promise
    let stopped = false
    const stopping = database.stop().then(() => (stopped = true))
    await assert.rejects(database.query({ text: 'select 1' }), unavailable)
    assert.equal(stopped, false)
    release.resolve()
    await running
    await stopping
    await database.stop()
    assert.equal((await other.query({ text: 'select from kept' })).rowCount, 1)
    await untilTrue('its connections are gone', async () => {
      const text = 'select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()'
      return (await other.query({ text })).rowCount === 0
    })
  })

  it('ends statements that take too long and keeps the connection', async () => {
    await using test = await testDatabase()
    await using database = openDatabase({ url: test.url, statementTimeoutMs: 50 })
    await assert.rejects(database.query({ text: 'select pg_sleep(10)' }), { code: '57014' })
    await assert.rejects(
      database.inTransaction(async (tx) => void (await tx.query({ text: 'select pg_sleep(10)' }))),
      { code: '57014' },
    )
    assert.deepEqual(database.usage(), { total: 1, idle: 1, waiting: 0 })
  })

  it('is unavailable to a transaction that paused too long between two statements', async () => {
    await using test = await testDatabase()
    await using database = openDatabase({ url: test.url, idleInTransactionMs: 50 })
    await using other = openDatabase({ url: test.url })
    const idle = `select from pg_stat_activity where state = 'idle in transaction' and datname = current_database()`
    const pausing = database.inTransaction(async (tx) => {
      await tx.query({ text: 'select 1' })
      await untilTrue('the server ended the session', async () => (await other.query({ text: idle })).rowCount === 0)
      await tx.query({ text: 'select 2' })
    })
    // What the client had not read yet is the server's own word for it.
    await assert.rejects(pausing, (error) => unavailable(error) || (error as { code?: string }).code === '25P03')
    assert.equal((await database.query({ text: 'select 1' })).rowCount, 1)
  })

  it('takes on a role on every connection', async () => {
    await using test = await testDatabase()
    const role = `headrace_test_${process.pid}`
    await using owner = openDatabase({ url: test.url })
    await owner.query({ text: `create role ${role} nologin` })
    try {
      await using database = openDatabase({ url: test.url, role, maxConnections: 2 })
      const ask = () => database.query<{ role: string }>({ text: 'select current_user::text as role, pg_sleep(0.02)' })
      for (const { rows } of await Promise.all([ask(), ask()])) assert.equal(rows[0]?.role, role)
      await assert.rejects(database.query({ text: 'create table public.forbidden ()' }), { code: '42501' })
    } finally {
      await owner.query({ text: `drop role ${role}` })
    }
  })

  it('reads bigint as numbers', async () => {
    await using test = await testDatabase()
    await using database = openDatabase({ url: test.url })
    const { rows } = await database.query({ text: 'select 9007199254740991::bigint as n' })
    assert.deepEqual(rows, [{ n: 9007199254740991 }])
  })

  it('takes this server for new enough, and a table of versions at their word', async () => {
    await using test = await testDatabase()
    await using database = openDatabase({ url: test.url })
    assert.match(await requireSupportedServer(database), /^\d+/)
    const server = (number: string) => ({
      query: async <R extends object>() => ({ rows: [{ number, version: 'x' } as unknown as R], rowCount: 1 }),
    })
    await requireSupportedServer(server('150000'))
    await assert.rejects(requireSupportedServer(server('140012')), (error) => hasCode(error, 'DATABASE_VERSION'))
  })
})

describe('a connection that no longer answers', () => {
  it('is given up after the limit, and its caller told', async () => {
    await using test = await testDatabase()
    await using proxy = await startProxy(test.url)
    await using database = openDatabase({ url: proxy.url, unresponsiveMs: 100, connectTimeoutMs: 200 })
    await database.query({ text: 'select 1' })
    proxy.swallowAll()
    await assert.rejects(database.query({ text: 'select 1' }), unavailable)
    assert.equal((await database.query({ text: 'select 1' })).rowCount, 1)
    proxy.swallowAll()
    await assert.rejects(
      database.inTransaction((tx) => void tx.query({ text: 'select 1' })),
      (error) => hasCode(error, 'COMMIT_UNKNOWN'),
    )
    assert.equal((await database.query({ text: 'select 1' })).rowCount, 1)
  })

  it('is not taken for one while the server answers, however long the transaction', async () => {
    await using test = await testDatabase()
    await using database = openDatabase({ url: test.url, unresponsiveMs: 1_000 })
    const since = performance.now()
    await database.inTransaction(async (tx) => {
      while (performance.now() - since < 1_500) await tx.query({ text: 'select pg_sleep(0.05)' })
    })
  })

  it('is not looked for where statements may take as long as they like', async () => {
    await using test = await testDatabase()
    await using database = openDatabase({ url: test.url, statementTimeoutMs: 0, unresponsiveMs: 100 })
    await database.query({ text: 'select pg_sleep(0.6)' })
  })

  it('is not connected to for ever', async () => {
    await using mute = await muteServer()
    await using database = openDatabase({ url: mute.url, connectTimeoutMs: 100 })
    await assert.rejects(database.query({ text: 'select 1' }), unavailable)
  })
})

describe('a connection that the server ends in the breath in which it opens it', () => {
  it('does not end the process, and its user is told', async () => {
    await using server = await muteServer(welcomeAndFarewell)
    await using database = openDatabase({ url: server.url })
    await assert.rejects(database.query({ text: 'select 1' }), unavailable)
    await assert.rejects(
      database.inTransaction((tx) => tx.query({ text: 'select 1' })),
      unavailable,
    )
  })
})

/** AuthenticationOk, ReadyForQuery and a FATAL error, as one write. (PostgreSQL, Message Formats.) */
const welcomeAndFarewell = Buffer.concat([
  Buffer.from('R\0\0\0\x08\0\0\0\0', 'latin1'),
  Buffer.from('Z\0\0\0\x05I', 'latin1'),
  errorResponse('SFATAL\0C57P01\0Mterminating connection\0\0'),
])

function errorResponse(fields: string): Buffer {
  const header = Buffer.from('E0000')
  header.writeUInt32BE(fields.length + 4, 1)
  return Buffer.concat([header, Buffer.from(fields, 'latin1')])
}

/** Takes connections and says one thing, or nothing, to whatever comes first. */
async function muteServer(answer?: Buffer): Promise<{ readonly url: string } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    socket.once('data', () => answer && socket.end(answer))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `postgres://nobody@127.0.0.1:${port}/none`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
