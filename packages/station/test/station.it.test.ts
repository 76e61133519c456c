import assert from 'node:assert/strict'
import { it } from 'node:test'
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
