import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { type TestDatabase, testDatabase, testServer, untilTrue } from '@headrace/database/testing'
import { PlatformError, sleep } from '@headrace/runtime'
import { StreamClient } from './support/client.ts'
import { fatefulPubSub } from './support/pubsub.ts'
import { migrateLive, type Replica, startReplica } from './support/replica.ts'

describe('a live stream', () => {
  let testBase: TestDatabase
  let replica: Replica

  before(async () => {
    testBase = await testDatabase({ name: 'live' })
    await migrateLive(testBase.url)
    replica = await startReplica({ url: testBase.url })
  })

  after(async () => {
    await replica[Symbol.asyncDispose]()
    await testBase[Symbol.asyncDispose]()
  })

  const newSubject = () => `s-${randomUUID()}`
  const open = (subject: string, options = {}) => new StreamClient(`${replica.url}/stream/${subject}`, options)

  it('begins with the present position, 0 when nothing has happened, and goes on with each event once', async () => {
    const subject = newSubject()
    using client = await open(subject).connected()
    assert.deepEqual(client.events, [{ id: '0', event: 'connected', data: '{"position":0}' }])
    await replica.publish(subject, 1)
    await replica.publish(subject, 2, 3)
    await client.reaches(3)
    assert.deepEqual(client.ids, [1, 2, 3])
    assert.deepEqual(client.events.at(-1), { id: '3', event: 'update', data: '{"n":3}' })
    using later = await open(subject).connected()
    assert.deepEqual(later.events, [{ id: '3', event: 'connected', data: '{"position":3}' }])
  })

  it('resumes behind the last event id, by header or parameter, the header first', async () => {
    const subject = newSubject()
    await replica.publish(subject, 1, 2, 3)
    using byHeader = open(subject, { lastEventId: 1 })
    await byHeader.reaches(3)
    assert.deepEqual(byHeader.events[0], { id: '1', event: 'connected', data: '{"position":1}' })
    assert.deepEqual(byHeader.ids, [2, 3])
    using byQuery = open(`${subject}?last_event_id=0`)
    await byQuery.reaches(3)
    assert.deepEqual(byQuery.ids, [1, 2, 3])
    using byBoth = open(`${subject}?last_event_id=0`, { lastEventId: 2 })
    await byBoth.reaches(3)
    assert.deepEqual(byBoth.ids, [3])
  })

  it('refuses an id that is no whole number or lies beyond the last event, and answers nothing else', async () => {
    const subject = newSubject()
    await replica.publish(subject, 1, 2)
    for (const id of ['3', '-1', '1.5', 'x', '', '9'.repeat(30), '1e1', '0x1', ' 1 2']) {
      const answer = await fetch(`${replica.url}/stream/${subject}`, { headers: { 'last-event-id': id } })
      const problem = (await answer.json()) as { readonly code: string; readonly detail: string }
      assert.deepEqual([answer.status, problem.code], [400, 'invalid_event_id'], `id '${id}'`)
      assert.match(problem.detail, /the last event id/)
    }
    for (const query of ['last_event_id=3', 'last_event_id=', 'last_event_id=x', 'last_event_id=1&last_event_id=2']) {
      assert.equal((await fetch(`${replica.url}/stream/${subject}?${query}`)).status, 400, query)
    }
    assert.equal(replica.live.connections, 0)
  })

  it('tells how long to wait before coming again, and that it must not be kept or held back', async () => {
    using client = await open(newSubject(), { headers: { origin: 'http://localhost:3000' } }).connected()
    assert.ok(
      client.retryMs !== undefined && client.retryMs >= 1_000 && client.retryMs <= 2_000,
      `${client.retryMs} ms`,
    )
    assert.equal(client.headers['content-type'], 'text/event-stream')
    assert.match(client.headers['cache-control'] ?? '', /no-cache/)
    assert.equal(client.headers['x-accel-buffering'], 'no')
    assert.equal(client.headers['access-control-allow-origin'], 'http://localhost:3000')
  })

  it('sends what is only told, without an id, to whoever is connected', async () => {
    const subject = newSubject()
    await replica.publish(subject, 1)
    using client = await open(subject).connected()
    replica.live.tell({ subject, event: 'task-update', data: { done: 1 } })
    replica.live.tell({ subject, event: 'task-update', data: 'x'.repeat(10_000) })
    await replica.publish(subject, 2)
    await client.reaches(2)
    const [first, second] = client.named('task-update')
    assert.deepEqual(first, { id: undefined, event: 'task-update', data: '{"done":1}' })
    assert.equal(second?.data.length, 10_002)
    using later = open(subject, { lastEventId: 0 })
    await later.reaches(2)
    assert.deepEqual(later.named('task-update'), [])
  })

  it('keeps subjects apart', async () => {
    const [one, other] = [newSubject(), newSubject()]
    using client = await open(one).connected()
    await replica.publish(other, 1, 2)
    await replica.publish(one, 1)
    await client.reaches(1)
    assert.equal(client.events.length, 2)
  })

  it('answers HEAD without a body and keeps nothing open', async () => {
    const answer = await fetch(`${replica.url}/stream/${newSubject()}`, { method: 'HEAD' })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-type'), 'text/event-stream')
    assert.equal(replica.live.connections, 0)
  })

  it('refuses an event that no client could read, and keeps none of its transaction', async () => {
    const subject = newSubject()
    const bad = [
      { subject: '', event: 'update', data: 1 },
      { subject: 'a\nb', event: 'update', data: 1 },
      { subject: 's'.repeat(201), event: 'update', data: 1 },
      { subject, event: 'a\nb', data: 1 },
      { subject, event: 'connected', data: 1 },
      { subject, event: 'reset', data: 1 },
      { subject, event: 'update', data: undefined },
      { subject, event: 'update', data: 'x'.repeat(1_048_576) },
    ]
    for (const event of bad) {
      const publishing = replica.database.inTransaction((tx) => {
        replica.live.publish(tx, { subject, event: 'update', data: 1 })
        replica.live.publish(tx, event)
      })
      await assert.rejects(publishing, /^(Range|Type)Error: (subject|event|data): /)
    }
    using client = await open(subject).connected()
    assert.equal(client.lastEventId, '0')
  })

  it('carries any JSON on one line', async () => {
    const subject = newSubject()
    const data = { text: 'a\r\nb\u2028c\0d\ud800e ž😀', n: 1e-7, list: [null, true] }
    using client = await open(subject).connected()
    await replica.database.inTransaction((tx) => replica.live.publish(tx, { subject, event: 'update', data }))
    await client.reaches(1)
    assert.deepEqual(JSON.parse(client.events[1]?.data ?? ''), JSON.parse(JSON.stringify(data)))
    using again = open(subject, { lastEventId: 0 })
    await again.reaches(1)
    assert.equal(again.events[1]?.data, client.events[1]?.data)
  })

  it('forgets a client that left, also one that left before it was answered', async () => {
    const subject = newSubject()
    const client = await open(subject).connected()
    assert.equal(replica.live.connections, 1)
    client.cut()
    await untilTrue('the connection is forgotten', () => replica.live.connections === 0)
    await using slow = await startReplica({
      url: testBase.url,
      through: (database) => ({
        async query(statement) {
          if (statement.name !== 'live.heads') return database.query(statement)
          early.cut()
          await untilTrue('the server sees that the client left', () => serverConnections === 0)
          return database.query(statement)
        },
      }),
      onConnections: (count) => {
        serverConnections = count
      },
    })
    let serverConnections = -1
    const early: StreamClient = new StreamClient(`${slow.url}/stream/${subject}`)
    await untilTrue('the request came and left', () => serverConnections === 0)
    await slow.publish(subject, 1)
    assert.equal(slow.live.connections, 0)
  })
})

describe('the streams of a replica', () => {
  let testBase: TestDatabase

  before(async () => {
    testBase = await testDatabase({ name: 'live' })
    await migrateLive(testBase.url)
  })

  after(() => testBase[Symbol.asyncDispose]())

  it('show that they live by comments', async () => {
    await using replica = await startReplica({ url: testBase.url, heartbeatMs: 64 })
    using client = await new StreamClient(`${replica.url}/stream/s`).connected()
    await untilTrue('three heartbeats arrive', () => client.comments >= 3)
    assert.equal(client.events.length, 1)
    assert.equal(client.isOver, false)
  })

  it('end at once when their server stops', async () => {
    await using replica = await startReplica({ url: testBase.url })
    using client = await new StreamClient(`${replica.url}/stream/s`).connected()
    const began = performance.now()
    await replica.stopServer()
    assert.ok(performance.now() - began < 5_000, 'the server waited for its streams')
    await client.over()
  })

  it('ask for no heads once nobody is connected, also after a refusal', async () => {
    let looks = 0
    await using replica = await startReplica({
      url: testBase.url,
      pollMs: 5,
      through: (database) => ({
        query(statement) {
          if (statement.name === 'live.grown') looks += 1
          return database.query(statement)
        },
      }),
    })
    const client = await new StreamClient(`${replica.url}/stream/looked-at`).connected()
    assert.equal((await fetch(`${replica.url}/stream/refused?last_event_id=9`)).status, 400)
    await untilTrue('the heads are looked at', () => looks > 0)
    client.cut()
    await untilTrue('the client is gone', () => replica.live.connections === 0)
    const before = looks
    await sleep(100)
    // One may have been under way.
    assert.ok(looks <= before + 1, `${looks - before} looks for nobody`)
  })

  it('end when they are stopped, also that of a client that does not read, and no new one stays', async () => {
    let connections = 0
    const onConnections = (count: number) => {
      connections = count
    }
    await using replica = await startReplica({ url: testBase.url, bufferLimitBytes: 1e9, onConnections })
    using client = await new StreamClient(`${replica.url}/stream/s`).connected()
    using stuck = await new StreamClient(`${replica.url}/stream/s`).connected()
    stuck.pause()
    const data = 'x'.repeat(1_000_000)
    await replica.database.inTransaction((tx) => {
      for (let n = 0; n < 20; n += 1) replica.live.publish(tx, { subject: 's', event: 'update', data })
    })
    await untilTrue('the other client has them', () => client.ids.length === 20)
    await replica.live.stop()
    await client.over()
    await untilTrue('both connections are closed', () => connections === 0)
    const late = new StreamClient(`${replica.url}/stream/s`)
    await late.over()
    assert.deepEqual([late.status, late.events.length], [200, 0])
  })

  it('survive the database’s absence and then get what they missed', async () => {
    let isAway = false
    const away = () => Promise.reject(new PlatformError('DATABASE_UNAVAILABLE', 'away'))
    const pubsub = fatefulPubSub(() => 'lost')
    await using elsewhere = await startReplica({ url: testBase.url, pubsub })
    await using replica = await startReplica({
      url: testBase.url,
      pubsub,
      pollMs: 20,
      through: (database) => ({ query: (statement) => (isAway ? away() : database.query(statement)) }),
    })
    const subject = randomUUID()
    using client = await new StreamClient(`${replica.url}/stream/${subject}`).connected()
    isAway = true
    await elsewhere.publish(subject, 1, 2)
    await untilTrue('the replica notices', () => replica.errors.length > 0)
    const url = `${replica.url}/stream/${subject}`
    assert.equal((await fetch(url)).status, 503)
    // A browser's EventSource would give up for good.
    const later = await fetch(url, { headers: { accept: 'text/event-stream' } })
    assert.equal(later.status, 200)
    assert.match(await later.text(), /^: unavailable\nretry: \d+\n\n$/)
    isAway = false
    await client.reaches(2)
    assert.deepEqual(client.ids, [1, 2])
  })

  it('survive a database server that is killed and comes back, and lose and repeat nothing', async () => {
    await using server = await testServer()
    await migrateLive(server.url)
    await using replica = await startReplica({ url: server.url, pollMs: 50 })
    using client = await new StreamClient(`${replica.url}/stream/s`).connected()
    await replica.publish('s', 1, 2)
    await client.reaches(2)
    await server.kill()
    await untilTrue('publishing fails', () =>
      replica.publish('s', 0).then(
        () => false,
        () => true,
      ),
    )
    await server.restart()
    await untilTrue(
      'publishing works',
      () =>
        replica.publish('s', 3).then(
          () => true,
          () => false,
        ),
      60_000,
    )
    await replica.publish('s', 4)
    await untilTrue('the last event arrives', () => client.events.at(-1)?.data === '{"n":4}', 60_000)
    assert.deepEqual(
      client.ids,
      client.ids.map((_, index) => index + 1),
    )
    assert.equal(client.isOver, false)
  })
})
