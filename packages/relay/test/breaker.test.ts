import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Breaker, type BreakerState } from '../src/breaker.ts'

describe('a breaker', () => {
  function breaker() {
    const clock = { now: 0 }
    const states: BreakerState[] = []
    const made = new Breaker({
      failures: 3,
      now: () => clock.now,
      random: () => 0.9999,
      onChange: (state) => states.push(state),
    })
    return { made, clock, states }
  }

  const fail = (made: Breaker, times: number) => {
    for (let n = 0; n < times; n += 1) made.failed(new Error('away'))
  }

  it('opens after so many failures in a row, and not when a success came between', () => {
    const { made } = breaker()
    fail(made, 2)
    made.succeeded()
    fail(made, 2)
    assert.equal(made.state, 'closed')
    fail(made, 1)
    assert.equal(made.state, 'open')
    assert.equal(made.enter(), false)
    assert.equal(made.lastError?.text, 'away')
  })

  it('lets one call through once its time is over, which closes it', () => {
    const { made, clock, states } = breaker()
    fail(made, 3)
    clock.now = 250
    assert.equal(made.state, 'half-open')
    assert.deepEqual([made.enter(), made.enter()], [true, false])
    assert.equal(made.isAway, true)
    made.succeeded()
    assert.deepEqual([made.state, made.isAway, made.enter()], ['closed', false, true])
    assert.deepEqual(states, ['open', 'half-open', 'closed'])
  })

  it('stays open longer each time that the one call fails, up to its limit', () => {
    const { made, clock } = breaker()
    fail(made, 3)
    for (const openMs of [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]) {
      clock.now += openMs - 1
      assert.equal(made.state, 'open', `${openMs} ms`)
      clock.now += 1
      assert.equal(made.enter(), true)
      made.failed(new Error('still away'))
    }
  })

  it('lets the next one try when a call was given up', () => {
    const { made, clock } = breaker()
    fail(made, 3)
    clock.now = 250
    assert.equal(made.enter(), true)
    made.abandoned()
    assert.equal(made.enter(), true)
  })
})
