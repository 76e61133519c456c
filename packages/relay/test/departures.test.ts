import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Departures } from '../src/departures.ts'

it('all who wait leave together', async () => {
  const departures = new Departures()
  const left: string[] = []
  const wait = async (name: string) => {
    await departures.next()
    left.push(name)
  }
  const later = wait('a').then(() => wait('a again'))
  await Promise.all([later, wait('b'), wait('c')])
  assert.deepEqual(left, ['a', 'b', 'c', 'a again'])
})

it('a burst leaves at once, a departure a turn of the event loop', async () => {
  const departures = new Departures()
  let turns = 0
  let turning = setImmediate(function turn() {
    turns += 1
    turning = setImmediate(turn)
  })
  for (let n = 0; n < 20; n += 1) await departures.next()
  clearImmediate(turning)
  assert.ok(turns <= 40, `20 departures took ${turns} turns`)
})

it('under load departures keep their pace', async () => {
  const departures = new Departures()
  const since = performance.now()
  for (let n = 0; n < 120; n += 1) await departures.next()
  const tookMs = performance.now() - since
  // Those beyond the lead are 4 ms apart on average; timers may be early by a part of one.
  assert.ok(tookMs >= 0.9 * (119 * 4 - 100), `120 departures took ${tookMs} ms`)
})
