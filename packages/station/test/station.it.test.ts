import assert from 'node:assert/strict'
import { it } from 'node:test'
import { startMembership } from '@headrace/inbox'
import { noFaults } from '@headrace/runtime'
import { postgresTransport } from '@headrace/transport'
import { station } from '../src/index.ts'
import { testStation } from '../src/testing/index.ts'

it('what one replica appends is handled by the group, once, whichever replica holds the partition', async () => {
  await using one = await testStation()
  await using two = await testStation({ url: one.url })
  await one.produces('things')
  const handled: string[] = []
  const all = Promise.withResolvers<void>()
  const handle = (_tx: unknown, messages: readonly { readonly id: string }[]) => {
    for (const { id } of messages) handled.push(id)
    if (handled.length >= 20) all.resolve()
  }
  await using _first = await one.consume({ group: 'g', topic: 'things', handle })
  await using _second = await two.consume({ group: 'g', topic: 'things', handle })
  const ids = Array.from({ length: 20 }, (_, index) => `m${index}`)
  await one.log.inTransaction((tx) => {
    for (const id of ids) {
      tx.append({ topic: 'things', id, key: id, type: 'thing', headers: {}, body: Buffer.from(id) })
    }
  })
  await all.promise
  assert.deepEqual(handled.toSorted(), ids.toSorted())
})

it('under the role of one schema, messages flow and the tables of another schema are out of reach', async () => {
  await using owner = await testStation()
  await owner.database.query({
    text: 'create schema own; create table own.effect (id text); create schema other; create table other.thing (id text)',
  })
  await using one = await testStation({ url: owner.url, schema: 'own' })
  await one.produces('things')
  const done = Promise.withResolvers<void>()
  await using _running = await one.consume({
    group: 'g',
    topic: 'things',
    async handle(tx, messages) {
      await tx.query({ text: 'insert into own.effect values ($1)', values: [messages[0]?.id] })
      tx.afterCommit(() => done.resolve())
    },
  })
  await one.log.inTransaction((tx) =>
    tx.append({ topic: 'things', id: 'm', key: 'm', type: 'thing', headers: {}, body: Buffer.from('m') }),
  )
  await done.promise
  await assert.rejects(one.database.query({ text: 'select from other.thing' }), /permission denied for schema other/)
})

it('a topic that a module keeps to itself is read from its own log, whatever carries the others', async () => {
  await using own = await testStation()
  const { database, wakeUps } = own
  await using membership = startMembership({ database, wakeUps, onError: () => {} })
  await using carrier = postgresTransport(own.log)
  const relayed: string[] = []
  const made = station({
    ...own,
    membership,
    own: carrier,
    carriers: () => assert.fail('a broker was asked'),
    relay: async (topic) => void relayed.push(topic),
    faults: noFaults,
    onError: () => {},
  })
  await made.produces('told')
  await made.keeps('kept')
  const done = Promise.withResolvers<void>()
  await using _running = await made.consume({ group: 'g', topic: 'kept', handle: () => done.resolve() })
  await made.log.inTransaction((tx) =>
    tx.append({ topic: 'kept', id: 'm', key: 'm', type: 'step', headers: {}, body: Buffer.from('m') }),
  )
  await done.promise
  assert.deepEqual(relayed, ['told'])
})
