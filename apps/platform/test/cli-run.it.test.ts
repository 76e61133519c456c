import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { testDatabase } from '@headrace/database/testing'
import { ingest, messageState, Workplace } from './fixtures/headrace.ts'

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

/** The process id of the embedded server, as it has written it down itself. */
async function serverPid(place: string): Promise<number> {
  return Number.parseInt(await readFile(join(place, '.headrace/postgres/postmaster.pid'), 'utf8'), 10)
}

/** A process that has ended and that nobody has reaped yet no longer runs. */
function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return true
  }
  return existsSync(`/proc/${pid}/stat`) && /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

describe('headrace run', () => {
  it('starts everything with nothing installed, says where, and serves; measured: the time until ready', async (context) => {
    await using place = await Workplace.make()
    const first = place.start(['run'])
    const { addresses, roles, data, startedInMs } = await first.ready()
    context.diagnostic(`first start, from "run" to ready: ${startedInMs} ms`)
    assert.deepEqual(
      addresses.map(({ name }) => name),
      ['gateway', 'ingest', 'processor', 'calculator', 'console', 'internal'],
    )
    assert.ok(['gateway:gateway', 'pipeline:ingest', 'pipeline:processor'].every((role) => roles.includes(role)))
    assert.match(data, new RegExp(`^${place.path}/\\.headrace`))
    assert.equal((await stat(join(place.path, '.headrace'))).mode & 0o077, 0)
    const gateway = await first.url('gateway')
    const { messageId } = await ingest(gateway, 'test', 'hello')
    assert.equal(await messageState(gateway, messageId, ['processed']), 'processed')
    const { code, stderr } = await first.stop()
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })

    const began = performance.now()
    const second = place.start(['run'])
    context.diagnostic(`second start, from "run" to ready: ${(await second.ready()).startedInMs} ms`)
    context.diagnostic(`second start, from the process to ready: ${Math.round(performance.now() - began)} ms`)
    assert.equal(await messageState(await second.url('gateway'), messageId, ['processed']), 'processed')
    assert.equal((await second.stop()).code, 0)
  })

  it('prints for people where text is asked for: addresses, data, durability, a call that works, how to stop', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const running = place.start(['run'], { DATABASE_URL: database.url, LOG_FORMAT: 'text', API_PROT: '1' })
    await running.until('the banner', () => /stop .*Ctrl-C/.test(running.output))
    assert.match(running.output, /Headrace \d+\.\d+\.\d+ is ready \(\d+\.\d s\)/)
    assert.match(running.output, /durability +disk: /)
    assert.match(running.output, /data +PostgreSQL at 127\.0\.0\.1:\d+\/test_\w+\n/)
    assert.match(running.output, /API_PROT is set and read by nobody: is API_PORT meant\?/)
    const [, url, body] = /try +curl (\S+) -H 'content-type: application\/json' -d '(.*)'/.exec(running.output) ?? []
    const answer = await fetch(url ?? '', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: body ?? '',
    })
    assert.equal(answer.status, 200)
    assert.equal((await running.stop()).code, 0)
  })

  it('says volatile storage where it is chosen, and that an address alone chooses nothing', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const env = {
      DATABASE_URL: database.url,
      QUEUE_TYPE: 'memory',
      LOG_FORMAT: 'text',
      KAFKA_BROKERS: 'localhost:9092',
    }
    const running = place.start(['run'], env)
    await running.until('the banner', () => /stop .*Ctrl-C/.test(running.output))
    assert.match(running.output, /durability +memory: .* is lost with the process/)
    assert.match(running.output, /KAFKA_BROKERS is set and chooses nothing: QUEUE_TYPE is memory/)
  })

  it('refuses a taken port with its number and the variable that changes it', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const address = server.address()
      assert.ok(address !== null && typeof address === 'object')
      const ended = await place.run(['run'], { DATABASE_URL: database.url, INGEST_PORT: String(address.port) })
      assert.equal(ended.code, 1)
      assert.match(ended.stderr, new RegExp(`port ${address.port} is taken: .*INGEST_PORT.*\n.*PORT_TAKEN`))
      assert.doesNotMatch(ended.stderr, /\n\s+at |still held open/)
    } finally {
      server.close()
    }
  })

  it('refuses a data directory on which another one runs, and leaves that one alone', async () => {
    await using place = await Workplace.make()
    const first = place.start(['run'])
    const gateway = await first.url('gateway')
    const second = await place.run(['run'])
    assert.equal(second.code, 1)
    assert.match(second.stderr, new RegExp(`in use by process ${first.pid}[\\s\\S]*HEADRACE_DATA[\\s\\S]*DATABASE_URL`))
    assert.match(second.stderr, /DATABASE_IN_USE/)
    assert.equal((await ingest(gateway, 'test', 'still there')).status, 200)
  })

  it('refuses a data directory of another version with both versions and what to do', async () => {
    await using place = await Workplace.make()
    const cluster = join(place.path, '.headrace/postgres')
    await mkdir(cluster, { recursive: true })
    await writeFile(join(cluster, 'PG_VERSION'), '99\n')
    const ended = await place.run(['run'])
    assert.equal(ended.code, 1)
    assert.match(ended.stderr, /made by PostgreSQL 99 and this is PostgreSQL \d+; use the Headrace that made it/)
    assert.match(ended.stderr, /DATABASE_START_FAILED/)
  })

  it('refuses an older schema with --no-migrate and says how to mend it', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const env = { DATABASE_URL: database.url }
    const refused = await place.run(['run', '--no-migrate'], env)
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /the schema lacks database\/001-[\s\S]*SCHEMA_OUTDATED.*headrace migrate/)
    assert.equal((await place.run(['migrate'], env)).code, 0)
    await place.start(['run', '--no-migrate'], env).ready()
  })

  it('says that the database is away, without its password', async () => {
    await using place = await Workplace.make()
    const ended = place.start(['run'], { DATABASE_URL: 'postgres://joe:geheim@127.0.0.1:9/none' })
    await ended.line('waiting for the database')
    assert.doesNotMatch(ended.output, /geheim/)
    // Nothing serves yet, so there is nothing to wait for.
    assert.equal((await ended.stop()).code, 128 + 15)
  })

  it('dies where a fault point is armed, and what it had accepted is processed after the next start', async () => {
    await using place = await Workplace.make()
    const dying = place.start(['run'], { HEADRACE_FAULTS: 'batch.after-open=kill' })
    const sent = await ingest(await dying.url('gateway'), 'test', 'survives')
    assert.equal((await dying.ended()).signal, 'SIGKILL')
    const next = place.start(['run'])
    assert.equal(await messageState(await next.url('gateway'), sent.messageId, ['processed']), 'processed')
  })
})

describe('headrace run --only', () => {
  it('starts what it names, each as a process of its own over one database', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const env = { DATABASE_URL: database.url }
    const processor = place.start(['run', '--only', 'pipeline:processor'], env)
    assert.deepEqual((await processor.ready()).roles, ['pipeline:processor'])
    const ingestProcess = place.start(['run', '--only', 'pipeline:ingest'], env)
    assert.deepEqual((await ingestProcess.ready()).roles, ['pipeline:ingest'])
    const gateway = place.start(['run', '--only', 'gateway'], {
      INGEST_URL: await ingestProcess.url('ingest'),
      PROCESSOR_URL: await processor.url('processor'),
    })
    assert.deepEqual((await gateway.ready()).roles, ['gateway:gateway'])
    const url = await gateway.url('gateway')
    const { messageId } = await ingest(url, 'test', 'across')
    assert.equal(await messageState(url, messageId, ['processed']), 'processed')
    assert.equal((await place.run(['status', '--url', url])).code, 0)
    for (const running of [gateway, ingestProcess, processor]) assert.equal((await running.stop()).code, 0)
  })
})

describe('a process that is asked to stop', () => {
  it('answers what is in flight, accepts nothing it does not keep, and ends with 0', async () => {
    await using place = await Workplace.make()
    const running = place.start(['run'])
    const url = await running.url('gateway')
    const accepted: string[] = []
    const stopped = new AbortController()
    async function send(source: string): Promise<void> {
      while (!stopped.signal.aborted) {
        const sent = await ingest(url, source, 'load').catch(() => undefined)
        if (sent === undefined) return
        if (sent.status === 200) accepted.push(sent.messageId)
      }
    }
    const senders = ['a', 'b', 'c', 'd'].map(send)
    await running.until('200 accepted messages', () => accepted.length >= 200)
    const { code, stderr } = await running.stop()
    stopped.abort()
    await Promise.all(senders)
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })

    const again = place.start(['run'])
    const gateway = await again.url('gateway')
    for (const messageId of accepted) await messageState(gateway, messageId, ['processed'])
  })

  it('leaves at once on the second signal, and its database ends with it', async () => {
    await using place = await Workplace.make()
    const running = place.start(['run'], { PROCESSOR_FUNCTION: fixture('hanging-function.mjs') })
    const url = await running.url('gateway')
    await ingest(url, 'test', 'hang')
    await running.until('the message is being processed', () => running.output.includes('hangs now'))
    const server = await serverPid(place.path)
    running.signal('SIGTERM')
    await running.line('stopping on SIGTERM: what is in flight is finished')
    running.signal('SIGTERM')
    const { code } = await running.ended()
    assert.equal(code, 128 + 15)
    // The next start waits for an orphan to end.
    await place.start(['run']).ready()
    assert.ok(isGone(server), `the database of the process that left, ${server}, still runs`)
  })

  it('stops by itself with 1 after an error that nobody caught, and says which', async () => {
    await using place = await Workplace.make()
    const running = place.start(['run'], { PROCESSOR_FUNCTION: fixture('crashing-function.mjs') })
    await ingest(await running.url('gateway'), 'test', 'crash')
    const { code, stdout } = await running.ended()
    assert.equal(code, 1)
    assert.match(stdout, /stopping after an error that nobody caught/)
    assert.match(stdout, /thrown beside the message/)
    assert.match(stdout, /"msg":"stopped"/)
  })

  it('goes on serving when nobody reads its output any more', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const running = place.start(['run'], { DATABASE_URL: database.url, LOG_LEVEL: 'trace' })
    const url = await running.url('gateway')
    running.closeOutput()
    for (let sent = 0; sent < 20; sent += 1) assert.equal((await ingest(url, 'test', 'x')).status, 200)
    assert.equal((await running.stop()).code, 0)
  })
})
