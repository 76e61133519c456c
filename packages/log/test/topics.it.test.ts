import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode } from '@headrace/runtime'
import { message, startLog, startProcess } from './support/process.ts'

describe('declareTopic', () => {
  it('makes 16 heads, once, and leaves those that are there', async () => {
    await using test = await startLog()
    await test.log.declareTopic('t')
    await test.log.inTransaction((tx) => tx.append(message('t', 'm')))
    const heads = await test.log.heads('t')
    await test.log.declareTopic('t')
    assert.equal(heads.length, 16)
    assert.deepEqual(await test.log.heads('t'), heads)
    assert.equal(heads.filter(({ nextOffset }) => nextOffset === 2).length, 1)
  })

  it('may be called in many processes at once, also with the topics in other orders', async () => {
    await using first = await startLog()
    await using second = await startProcess(first.url)
    const topics = Array.from({ length: 8 }, (_, n) => `t${n}`)
    await Promise.all([
      ...topics.map((topic) => first.log.declareTopic(topic)),
      ...topics.toReversed().map((topic) => second.log.declareTopic(topic)),
    ])
    for (const topic of topics) assert.equal((await first.log.heads(topic)).length, 16)
  })

  it('refuses a topic that exists with another number of partitions', async () => {
    await using test = await startLog()
    await test.database.query({ text: `insert into headrace.log_topic (topic, partitions) values ('t', 8)` })
    await assert.rejects(test.log.declareTopic('t'), (error) => hasCode(error, 'TOPIC_PARTITIONS_CHANGED'))
    assert.deepEqual(await test.log.heads('t'), [])
  })

  it('takes the names that every carrier takes, and no others', async () => {
    await using test = await startLog()
    for (const name of ['a', 'A-b_c.d', '0', 'x'.repeat(200)]) await test.log.declareTopic(name)
    const refused = ['', 'x'.repeat(201), 'a b', 'a/b', 'ä', 'a\n', "a'b", 'a*', 'a>', '.', '..', '.a', 'a.', 'a..b']
    for (const name of refused) await assert.rejects(test.log.declareTopic(name), RangeError, JSON.stringify(name))
  })
})
