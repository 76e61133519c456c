import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ended, startCalculator, submit } from './support/calculator.ts'

for (const program of ['worker.py', 'worker.sh']) {
  it(`examples/${program}, which is not ours, computes expressions`, async () => {
    await using calculator = await startCalculator({ only: 'calculator:orchestrator,calculator:api' })
    const texts = ['(0.1+0.2)*-4-1/3', '-(1+2)-7/2', '1/(2-2)', `1${'0'.repeat(308)}*-10`]
    const ids = await Promise.all(texts.map((text) => submit(calculator, text)))
    const path = fileURLToPath(new URL(`../../../examples/${program}`, import.meta.url))
    // A group of its own, so that what it has started ends with it.
    const child = spawn(path, {
      detached: true,
      stdio: 'ignore',
      env: { ...process.env, ORCHESTRATOR_URL: calculator.internalUrl },
    })
    try {
      const ends = await Promise.all(ids.map((id) => ended(calculator, id, 1, 60_000)))
      const expected = [(0.1 + 0.2) * -4 - 1 / 3, -6.5, 'division by zero', 'result out of range']
      assert.deepEqual(
        ends.map(({ result, error }) => result ?? error),
        expected,
      )
    } finally {
      process.kill(-(child.pid ?? 0), 'SIGKILL')
      await once(child, 'exit')
    }
  })
}
