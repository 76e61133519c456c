import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { partitionOf } from '@headrace/transport'
import { message, startLog, startProcess } from './support/process.ts'

describe('available', () => {
  it('resolves at once where there is something, and else when another process or this one appends', async () => {
    await using here = await startLog()
    await using there = await startProcess(here.url)
    await here.log.declareTopic('t')
    const partition = partitionOf('k')
    const signal = AbortSignal.timeout(30_000)
    for (const [offset, { log }] of [
      [1, here],
      [2, there],
    ] as const) {
      const waits = [here, there].map((process) => process.log.available('t', partition, offset, signal))
      await log.inTransaction((tx) => tx.append(message('t', `${offset}`, { key: 'k' })))
      await Promise.all(waits)
    }
    await here.log.available('t', partition, 1, signal)
    assert.equal(signal.aborted, false)
  })

  it('resolves although no ring comes, by its poll', async () => {
    await using test = await startLog()
    await test.log.declareTopic('t')
    const signal = AbortSignal.timeout(30_000)
    const waits = test.log.available('t', 0, 1, signal)
    await test.database.query({ text: `update headrace.log_head set next_offset = 2 where partition = 0` })
    await waits
    assert.equal(signal.aborted, false)
  })

  it('resolves when its signal aborts, and leaves no listener', async () => {
    await using test = await startLog()
    await test.log.declareTopic('t')
    const aborting = new AbortController()
    let woken = false
    const waits = test.log.available('t', 0, 1, aborting.signal).then(() => (woken = true))
    aborting.abort()
    await waits
    assert.equal(woken, true)
  })

  it('is not led astray by malformed rings', async () => {
    await using test = await startLog()
    await test.log.declareTopic('t')
    for (const payload of ['', 't', 't x y', 't 0 NaN', 't 0 -5', 't 0 Infinity', 't 0 1e30']) {
      await test.database.query({ text: 'select pg_notify($1, $2)', values: ['headrace_log', payload] })
    }
    const aborting = new AbortController()
    let woken = false
    const waits = test.log.available('t', 0, 1, aborting.signal).then(() => (woken = true))
    await test.log.inTransaction((tx) => tx.append(message('t', 'm', { key: keyOf(1) })))
    await untilTrue('the other partition has grown', async () =>
      (await test.log.heads('t')).some((head) => head.nextOffset > 1),
    )
    assert.equal(woken, false)
    aborting.abort()
    await waits
  })
})

/** A key of this partition. */
function keyOf(partition: number): string {
  for (let n = 0; ; n += 1) if (partitionOf(`k${n}`) === partition) return `k${n}`
}
