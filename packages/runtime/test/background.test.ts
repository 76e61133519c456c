import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { backgroundSet, startLoop, withDeadline } from '../src/index.ts'

describe('startLoop', () => {
  it('stop waits for the pass that runs', async () => {
    const started = Promise.withResolvers<void>()
    let finished = false
    await using loop = startLoop({
      name: 'loop',
      onError: (error) => assert.fail(String(error)),
      async run(signal) {
        started.resolve()
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        await new Promise((resolve) => setImmediate(resolve))
        finished = true
      },
    })
    await started.promise
    await loop.stop()
    assert.equal(finished, true)
    await loop.stop()
  })

  it('a pass that fails is told with the loop’s name and repeated after a backoff', async () => {
    const errors: string[] = []
    const third = Promise.withResolvers<void>()
    let pass = 0
    await using _ = startLoop({
      name: 'relay',
      backoff: { baseMs: 1, maxMs: 1 },
      onError: (error, name) => errors.push(`${name}: ${String(error)}`),
      async run() {
        pass += 1
        if (pass === 3) third.resolve()
        if (pass < 3) throw new Error(`pass ${pass}`)
      },
    })
    await third.promise
    assert.deepEqual(errors, ['relay: Error: pass 1', 'relay: Error: pass 2'])
  })

  it('a pass that never waits leaves their turn to timers', async () => {
    await using _ = startLoop({ name: 'busy', onError() {}, run: async () => {} })
    await new Promise((resolve) => setTimeout(resolve, 1))
  })

  it('an abort while stopping is no error, another failure is', async () => {
    const errors: unknown[] = []
    for (const failure of [undefined, new Error('half written')]) {
      const entered = Promise.withResolvers<void>()
      const loop = startLoop({
        name: 'a',
        onError: (error) => errors.push(error),
        async run(signal) {
          entered.resolve()
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
          throw failure ?? signal.reason
        },
      })
      await entered.promise
      await loop.stop()
    }
    assert.deepEqual(errors.map(String), ['Error: half written'])
  })
})

describe('backgroundSet', () => {
  it('settled waits for all, and failures reach onError with their name', async () => {
    const errors: string[] = []
    const set = backgroundSet((error, name) => errors.push(`${name}: ${String(error)}`))
    set.add('one', Promise.reject(new Error('lost')))
    set.add('two', new Promise<void>((resolve) => setImmediate(() => resolve(set.add('three', Promise.resolve())))))
    assert.equal(set.size, 2)
    await set.settled()
    assert.equal(set.size, 0)
    assert.deepEqual(errors, ['one: Error: lost'])
  })
})

describe('withDeadline', () => {
  it('gives the result in time, else the late error', async () => {
    assert.equal(await withDeadline(Promise.resolve(7), 50, () => new Error('late')), 7)
    await assert.rejects(
      withDeadline(new Promise(() => {}), 5, () => new Error('late')),
      /late/,
    )
  })
})
