import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode } from '@headrace/runtime'
import {
  type Database,
  notifyLimitBytes,
  openDatabase,
  sessionAlive,
  startWakeUps,
  type WakeUps,
} from '../src/index.ts'
import { testDatabase, testServer, untilTrue } from '../src/testing/index.ts'
import { startProxy } from './support/proxy.ts'

interface Ears {
  readonly heard: string[]
  stop(): void
}

function hear(wakeUps: WakeUps, channel = 'bell'): Ears {
  const heard: string[] = []
  const stop = wakeUps.listen(channel, (payload) => heard.push(payload))
  return { heard, stop }
}

async function alive(database: Database, session: number | undefined): Promise<boolean> {
  const { rows } = await database.query<{ alive: boolean }>({
    text: `select ${sessionAlive('$1::bigint')} as alive`,
    values: [session],
  })
  return rows[0]?.alive === true
}

/** Ends every connection of a wake-up kind as an administrator would. */
async function terminate(database: Database, name: string): Promise<void> {
  await database.query({
    text: 'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and datname = current_database()',
    values: [name],
  })
}

/** Rings until it is heard: right after a connection, the other side may not listen yet. */
async function ringUntilHeard(from: WakeUps, ears: Ears, payload: string): Promise<void> {
  await untilTrue(`'${payload}' is heard`, () => {
    from.notify('bell', payload)
    return ears.heard.includes(payload)
  })
}

describe('wake-ups', () => {
  it('ring in other processes, on the channel only, with the payload', async () => {
    await using test = await testDatabase()
    await using here = startWakeUps({ url: test.url })
    await using there = startWakeUps({ url: test.url })
    const [bell, other] = [hear(there), hear(there, 'other')]
    await Promise.all([here.connected(), there.connected()])
    const payload = `naïve ☂ 'quoted' "text" {}`
    await ringUntilHeard(here, bell, payload)
    assert.deepEqual(other.heard, [])
  })

  it('ring for several listeners, and no longer for those that stopped', async () => {
    await using test = await testDatabase()
    await using wakeUps = startWakeUps({ url: test.url })
    await wakeUps.connected()
    const [first, second] = [hear(wakeUps), hear(wakeUps)]
    await ringUntilHeard(wakeUps, second, 'one')
    assert(first.heard.includes('one'))
    first.stop()
    const before = first.heard.length
    await ringUntilHeard(wakeUps, second, 'two')
    assert.equal(first.heard.length, before)
    second.stop()
    const third = hear(wakeUps)
    await ringUntilHeard(wakeUps, third, 'three')
  })

  it('gather rings within a few milliseconds: equal payloads once, of one subject only the last', async () => {
    await using test = await testDatabase()
    await using here = startWakeUps({ url: test.url })
    await using there = startWakeUps({ url: test.url })
    const bell = hear(there)
    await Promise.all([here.connected(), there.connected()])
    await ringUntilHeard(here, bell, 'ready')
    // Past the rings of getting ready, whose last may still be gathered.
    await new Promise((resolve) => setTimeout(resolve, 20))
    bell.heard.length = 0
    for (let n = 0; n < 100; n += 1) {
      here.notify('bell', 'same')
      here.notify('bell', `head ${n}`, 'head')
    }
    here.notify('bell', 'end')
    await untilTrue('the end is heard', () => bell.heard.includes('end'))
    // The first goes out at once, the rest together.
    assert.deepEqual(
      bell.heard.filter((payload) => payload.startsWith('head')),
      ['head 99'],
    )
    assert(bell.heard.filter((payload) => payload === 'same').length <= 2)
  })

  it('take payloads up to what NOTIFY takes, and refuse longer ones', async () => {
    await using test = await testDatabase()
    await using wakeUps = startWakeUps({ url: test.url })
    const bell = hear(wakeUps)
    await wakeUps.connected()
    await ringUntilHeard(wakeUps, bell, 'x'.repeat(notifyLimitBytes))
    assert.throws(() => wakeUps.notify('bell', 'x'.repeat(notifyLimitBytes + 1)), RangeError)
    assert.throws(() => wakeUps.notify('bell', 'ä'.repeat(notifyLimitBytes / 2 + 1)), RangeError)
    await ringUntilHeard(wakeUps, bell, 'after')
  })

  it('connect again after their connection was ended, tell that the session was lost, and listen again', async () => {
    await using test = await testDatabase()
    await using database = openDatabase({ url: test.url, applicationName: 'test' })
    await using wakeUps = startWakeUps({ url: test.url, applicationName: 'ears' })
    const bell = hear(wakeUps)
    let lost = 0
    wakeUps.onLost(() => (lost += 1))
    const stop = wakeUps.onLost(() => assert.fail('told although it stopped'))
    stop()
    await wakeUps.connected()
    const { session } = wakeUps
    await terminate(database, 'ears')
    await untilTrue('the loss was told', () => lost === 1)
    await wakeUps.connected(AbortSignal.timeout(5_000))
    assert.notEqual(wakeUps.session, session)
    await ringUntilHeard(wakeUps, bell, 'again')
  })

  it('come back when the server does', async () => {
    await using server = await testServer()
    await using wakeUps = startWakeUps({ url: server.url })
    const bell = hear(wakeUps)
    await wakeUps.connected()
    await server.kill()
    await untilTrue('the session is lost', () => wakeUps.session === undefined)
    wakeUps.notify('bell', 'into the void')
    await server.restart()
    await wakeUps.connected(AbortSignal.timeout(10_000))
    await ringUntilHeard(wakeUps, bell, 'again')
  })

  it('stop while the server is away, and give up waiting when a signal says so', async () => {
    await using server = await testServer()
    await server.stop()
    const errors: string[] = []
    await using wakeUps = startWakeUps({ url: server.url, onError: (error) => errors.push(error.message) })
    await assert.rejects(wakeUps.connected(AbortSignal.timeout(50)))
    await untilTrue('the failure was told', () => errors.length > 0)
    await wakeUps.stop()
    await wakeUps.stop()
  })
})

describe('the session of a wake-up connection', () => {
  it('is seen alive by others while it lives, and gone when its connection ends', async () => {
    await using test = await testDatabase()
    await using database = openDatabase({ url: test.url, applicationName: 'test' })
    await using wakeUps = startWakeUps({ url: test.url, applicationName: 'ears' })
    await wakeUps.connected()
    const first = wakeUps.session
    assert.equal(await alive(database, first), true)
    assert.equal(await alive(database, (first ?? 0) + 1), false)
    await terminate(database, 'ears')
    await untilTrue('the session is gone', async () => !(await alive(database, first)))
    await wakeUps.connected(AbortSignal.timeout(5_000))
    await untilTrue('the next one is seen', () => alive(database, wakeUps.session))
    const last = wakeUps.session
    await wakeUps.stop()
    assert.equal(wakeUps.session, undefined)
    await untilTrue('it is gone with the stop', async () => !(await alive(database, last)))
  })

  it('is not seen from another database of the same server', async () => {
    await using here = await testDatabase()
    await using there = await testDatabase()
    await using database = openDatabase({ url: there.url })
    await using wakeUps = startWakeUps({ url: here.url })
    await wakeUps.connected()
    assert.equal(await alive(database, wakeUps.session), false)
  })

  it('knows within a second whether it is alone on its database', async () => {
    await using test = await testDatabase()
    await using here = startWakeUps({ url: test.url })
    await untilTrue('it knows that it is alone', () => here.isAlone)
    const there = startWakeUps({ url: test.url })
    await there.connected()
    await untilTrue('it has seen the other one', () => !here.isAlone)
    assert.equal(there.isAlone, false)
    await there.stop()
    await untilTrue('it is alone again', () => here.isAlone)
  })

  it('carries statements apart from the pool, and is given up when it does not answer', async () => {
    await using test = await testDatabase()
    await using proxy = await startProxy(test.url)
    await using wakeUps = startWakeUps({ url: proxy.url })
    await wakeUps.connected()
    const first = wakeUps.session
    assert.deepEqual(await wakeUps.query({ text: 'select 1' }, 1_000), { rowCount: 1 })
    await assert.rejects(wakeUps.query({ text: 'select 1/0' }, 1_000), { code: '22012' })
    assert.equal(wakeUps.session, first)
    proxy.swallowAll()
    const unavailable = (error: unknown) => hasCode(error, 'DATABASE_UNAVAILABLE')
    await assert.rejects(wakeUps.query({ text: 'select 1' }, 50), unavailable)
    await untilTrue('the session was given up', () => wakeUps.session !== first)
    await wakeUps.connected(AbortSignal.timeout(5_000))
    assert.deepEqual(await wakeUps.query({ text: 'select 1' }, 1_000), { rowCount: 1 })
  })
})
