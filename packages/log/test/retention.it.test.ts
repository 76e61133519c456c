import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openDatabase } from '@headrace/database'
import { untilTrue } from '@headrace/database/testing'
import { type FaultPoints, noFaults, withDeadline } from '@headrace/runtime'
import { partitionOf, postgresTransport } from '@headrace/transport'
import { dropPassedChildren, heldSince } from '../src/index.ts'
import { attachChildren, retentionLock } from '../src/retention.ts'
import { appendPast, attachPast, children, childTables, reader } from './support/past.ts'
import { type LogProcess, message, startLog, startProcess } from './support/process.ts'

const hourMs = 3_600_000
/** Less than the detach's own patience, in ms. */
const soonMs = 9_000

function needsOf({ database }: LogProcess, faults: FaultPoints = noFaults) {
  return { database, faults, onError: (error: unknown) => assert.fail(String(error)) }
}

/** A log whose topic `t` has messages of 5, 4 and 3 hours ago: offsets 1–10, 11–20 and 21–30 of partition 0. */
async function agedLog() {
  const test = await startLog()
  await test.log.declareTopic('t')
  const names: string[] = []
  for (const hoursAgo of [5, 4, 3]) {
    names.push(await attachPast(test.database, hoursAgo))
    await appendPast(test.database, 't', hoursAgo, 10)
  }
  const [oldest = '', middle = '', youngest = ''] = names
  return { ...test, [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](), oldest, middle, youngest }
}

/** A transaction that has read the log and stays open. */
async function openReader(url: string): Promise<{ end(): Promise<void> }> {
  const database = openDatabase({ url, maxConnections: 1, idleInTransactionMs: 0 })
  const [read, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const reading = database.inTransaction(async (tx) => {
    await tx.query({ text: 'select count(*) from headrace.log' })
    read.resolve()
    await release.promise
  })
  await read.promise
  return {
    async end() {
      release.resolve()
      await reading
      await database.stop()
    },
  }
}

/** The child that begins at a time. */
function childOf(lower: Date | undefined): string | undefined {
  return lower && `log_${lower.toISOString().replaceAll(/\D/g, '').slice(0, 10)}`
}

async function detachPending({ database }: LogProcess): Promise<boolean> {
  return (await database.query({ text: 'select from pg_inherits where inhdetachpending' })).rowCount > 0
}

/** Nobody drops just now: a session ends a moment after its process was killed. */
async function retentionIsFree({ database }: LogProcess): Promise<boolean> {
  const held = { text: `select from pg_locks where locktype = 'advisory' and objid = $1`, values: [retentionLock] }
  return (await database.query(held)).rowCount === 0
}

describe('attachChildren', () => {
  it('makes the children of the hour before, this hour and the next 24, once', async () => {
    await using test = await startLog()
    const made = await children(test.database)
    const { rows } = await test.database.query<{ name: string }>({
      text: `select to_char((now() + h * interval '1 hour') at time zone 'utc', '"log_"YYYYMMDDHH24') as name
             from generate_series(-1, 24) as h order by 1`,
    })
    assert.deepEqual(
      made,
      rows.map(({ name }) => name),
    )
    await attachChildren(test.database)
    assert.deepEqual(await children(test.database), made)
  })

  it('is safe to run in many processes at once', async () => {
    await using test = await startLog()
    const made = await children(test.database)
    for (const name of made) await test.database.query({ text: `drop table headrace.${name}` })
    await Promise.all(Array.from({ length: 4 }, () => attachChildren(test.database)))
    assert.deepEqual(await children(test.database), made)
  })

  it('lets nothing wait that appends, while somebody has the log open', async () => {
    await using test = await startLog()
    await test.log.declareTopic('t')
    const made = await children(test.database)
    await test.database.query({ text: `drop table headrace.${made.at(-1)}` })
    const open = await openReader(test.url)
    await Promise.all([attachChildren(test.database), append(test, 20)])
    assert.deepEqual(await children(test.database), made)
    await open.end()
  })

  it('puts each message in the child of its hour', async () => {
    await using test = await agedLog()
    await append(test, 1)
    const { rows } = await test.database.query<{ child: string; fits: boolean }>({
      text: `select distinct c.relname as child, c.relname = to_char(l.at at time zone 'utc', '"log_"YYYYMMDDHH24') as fits
             from headrace.log l join pg_class c on c.oid = l.tableoid`,
    })
    assert.equal(rows.length, 4)
    for (const { child, fits } of rows) assert.equal(fits, true, child)
  })
})

describe('dropPassedChildren', () => {
  it('drops the children that are over and old enough, and no younger one', async () => {
    await using test = await agedLog()
    assert.deepEqual(await dropPassedChildren(needsOf(test), 3 * hourMs), [test.oldest])
    assert.deepEqual(await dropPassedChildren(needsOf(test), 3 * hourMs), [])
    assert.deepEqual(await dropPassedChildren(needsOf(test), hourMs), [test.middle, test.youngest])
    const { rowCount } = await test.database.query({ text: 'select from headrace.log' })
    assert.equal(rowCount, 0)
    assert.equal((await childTables(test.database)).includes(test.oldest), false)
  })

  it('never drops the child of this hour or the one before, however short the retention', async () => {
    await using test = await startLog()
    const made = await children(test.database)
    assert.deepEqual(await dropPassedChildren(needsOf(test), 0), [])
    assert.deepEqual(await children(test.database), made)
  })

  it('keeps what a group has not passed, and everything after it', async () => {
    await using test = await agedLog()
    await reader(test.database, 'fast', 't', 30)
    await reader(test.database, 'slow', 't', 9)
    assert.deepEqual(await dropPassedChildren(needsOf(test), hourMs), [])
    assert.equal(childOf(await heldSince(test.database)), test.oldest)
    await reader(test.database, 'slow', 't', 10)
    assert.deepEqual(await dropPassedChildren(needsOf(test), hourMs), [test.oldest])
    assert.equal(childOf(await heldSince(test.database)), test.middle)
    await reader(test.database, 'slow', 't', 29)
    assert.deepEqual(await dropPassedChildren(needsOf(test), hourMs), [test.middle])
    const read = await test.log.read({ topic: 't', partition: 0, from: 29, sinceMs: 0, maxMessages: 9, maxBytes: 999 })
    assert.deepEqual(
      read.map(({ position }) => position),
      [29, 30],
    )
    await reader(test.database, 'slow', 't', 30)
    assert.deepEqual(await dropPassedChildren(needsOf(test), hourMs), [test.youngest])
  })

  it('asks only those who read the partitions that the child holds', async () => {
    await using test = await agedLog()
    await test.log.declareTopic('other')
    await reader(test.database, 'elsewhere', 'other', 0)
    assert.equal((await dropPassedChildren(needsOf(test), hourMs)).length, 3)
  })

  it('lets appends and readers go on while it waits for whoever has the log open', async () => {
    await using test = await agedLog()
    await using other = await startProcess(test.url)
    const open = await openReader(test.url)
    const dropping = dropPassedChildren(needsOf(test), hourMs)
    await untilTrue('the detach waits', () => detachPending(test))
    await append(other, 50)
    const read = await other.log.read({
      topic: 't',
      partition: 0,
      from: 11,
      sinceMs: 0,
      maxMessages: 99,
      maxBytes: 9_999,
    })
    assert.equal(read[0]?.position, 11)
    await open.end()
    await dropping
    assert.deepEqual(
      await dropPassedChildren(needsOf(test), hourMs).then(() => childTables(test.database)),
      await children(test.database),
    )
  })

  it('keeps no process from starting and no child from being attached while it waits', async () => {
    await using test = await agedLog()
    const made = await children(test.database)
    await test.database.query({ text: `drop table headrace.${made.at(-1)}` })
    const open = await openReader(test.url)
    const dropping = dropPassedChildren(needsOf(test), hourMs)
    await untilTrue('the detach waits', () => detachPending(test))
    const started = startProcess(test.url).then((process) => process[Symbol.asyncDispose]())
    const late = () => new Error('no process starts while the detach waits')
    await withDeadline(started, soonMs, late).finally(open.end)
    await dropping
    assert.equal((await children(test.database)).at(-1), made.at(-1))
  })

  it('ends soon when the log stops, and the next pass goes on', async () => {
    await using test = await agedLog()
    const process = await startProcess(test.url, { retentionMs: hourMs, everyMs: 10 })
    const open = await openReader(test.url)
    await untilTrue('the detach waits', () => detachPending(test))
    const stopping = Promise.resolve(process[Symbol.asyncDispose]())
    await withDeadline(stopping, soonMs, () => new Error('the log does not stop while the detach waits')).finally(
      open.end,
    )
    await dropPassedChildren(needsOf(test), hourMs)
    assert.deepEqual(await childTables(test.database), await children(test.database))
  })

  it('finishes a detach that was cancelled and left pending', async () => {
    await using test = await agedLog()
    const open = await openReader(test.url)
    await cancelledDetach(test, test.oldest)
    assert.equal(await detachPending(test), true)
    await open.end()
    const dropped = await dropPassedChildren(needsOf(test), hourMs)
    assert.deepEqual(dropped, [test.middle, test.youngest])
    assert.deepEqual(await childTables(test.database), await children(test.database))
  })

  it('drops what a process that was killed after the detach left behind', async () => {
    await using test = await agedLog()
    const killed = await dropInProcess(test.url, 'retention.after-detach=kill')
    assert.equal(killed.signal, 'SIGKILL')
    assert.deepEqual(
      (await childTables(test.database)).filter((name) => name === test.oldest),
      [test.oldest],
    )
    assert.equal((await children(test.database)).includes(test.oldest), false)
    await untilTrue('the server has noticed the death', () => retentionIsFree(test))
    const dropped = await dropPassedChildren(needsOf(test), hourMs)
    assert.deepEqual(dropped, [test.middle, test.youngest])
    assert.deepEqual(await childTables(test.database), await children(test.database))
  })

  it('is done once when several processes do it at once', async () => {
    await using test = await agedLog()
    await using other = await startProcess(test.url)
    const dropped = await Promise.all(
      [test, other, test, other].map((each) => dropPassedChildren(needsOf(each), hourMs)),
    )
    assert.deepEqual(dropped.flat().sort(), [test.oldest, test.middle, test.youngest])
  })

  it('leaves a reader that it passed at the first offset left', async () => {
    await using test = await agedLog()
    await dropPassedChildren(needsOf(test), 2 * hourMs)
    assert.equal(await test.log.firstOffset('t', 0), 21)
    const aborting = new AbortController()
    const position = { incarnation: test.log.id, number: 3 }
    await using carrier = postgresTransport(test.log)
    for await (const { messages } of carrier.read(
      't',
      0,
      { kind: 'position', position },
      { signal: aborting.signal },
    )) {
      assert.deepEqual(
        messages.map((each) => each.position),
        Array.from({ length: 10 }, (_, n) => 21 + n),
      )
      break
    }
    aborting.abort()
  })

  it('leaves the head where nothing is left', async () => {
    await using test = await agedLog()
    await dropPassedChildren(needsOf(test), hourMs)
    assert.equal(await test.log.firstOffset('t', 0), 31)
    assert.equal(await test.log.firstOffset('t', 1), 1)
    assert.equal(await test.log.firstOffset('unknown', 0), 1)
  })
})

async function append({ log }: LogProcess, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await log.inTransaction((tx) => tx.append(message('t', `${n}`, { key: keyOfPartition1 })))
  }
}

const keyOfPartition1 = Array.from({ length: 200 }, (_, n) => `k${n}`).find((key) => partitionOf(key) === 1) ?? ''

async function cancelledDetach({ database, url }: LogProcess, child: string): Promise<void> {
  await using detacher = openDatabase({ url, maxConnections: 1 })
  const detaching = detacher.query({ text: `alter table headrace.log detach partition headrace.${child} concurrently` })
  const cancelled = assert.rejects(detaching, { code: '57014' })
  await untilTrue('the detach waits', async () => {
    const { rowCount } = await database.query({
      text: `select pg_cancel_backend(pid) from pg_stat_activity a where query like 'alter table headrace.log detach%'
               and wait_event_type = 'Lock' and exists (select from pg_inherits where inhdetachpending)`,
    })
    return rowCount > 0
  })
  await cancelled
}

async function dropInProcess(url: string, faults: string): Promise<{ signal: NodeJS.Signals | null }> {
  const script = fileURLToPath(new URL('fixtures/drop-passed-children.ts', import.meta.url))
  const child = spawn(process.execPath, [script, url], {
    env: { ...process.env, HEADRACE_FAULTS: faults },
    stdio: 'ignore',
  })
  const [, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  return { signal }
}
