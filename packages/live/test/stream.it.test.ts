import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { type TestDatabase, testDatabase } from '@headrace/database/testing'
import { StreamClient } from './support/client.ts'
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
})
