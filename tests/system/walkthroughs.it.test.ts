import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { normaliser } from '../../tools/walkthrough/normalise.ts'
import { type Outcome, runPage } from '../../tools/walkthrough/run-page.ts'

const folder = fileURLToPath(new URL('../../docs/walkthroughs', import.meta.url))
const pages = globSync('*.md', { cwd: folder }).filter((page) => page !== 'README.md')

/** Calls with what they showed or wrote, each side with its own ids. */
function comparable(outcomes: readonly Outcome[], side: (outcome: Outcome) => readonly string[]) {
  const normalise = normaliser()
  return outcomes.map((outcome) => ({
    call: `line ${outcome.call.line}: ${outcome.call.command}`,
    output: side(outcome).map(normalise),
  }))
}

describe('the walkthroughs', () => {
  it('are there', () => {
    assert.ok(pages.includes('pipeline.md'))
  })

  for (const page of pages) {
    it(`${page} shows what its calls really write (\`npm run walkthroughs\`)`, async () => {
      const outcomes = await runPage(readFileSync(join(folder, page), 'utf8'))
      assert.ok(outcomes.length > 0, 'the page has no calls')
      const real = comparable(outcomes, ({ output }) => output)
      const shown = comparable(outcomes, ({ call }) => call.shown)
      assert.deepEqual(real, shown)
    })
  }
})
