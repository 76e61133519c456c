import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ErrorRegistry } from '@headrace/runtime'
import { conflicts, errorsDocument } from '../../tools/errors/document.ts'
import { readRegistries } from '../../tools/errors/registries.ts'
import { retiredCodes } from '../../tools/errors/retired.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const registries = await readRegistries(root)

const sample: ErrorRegistry = {
  QUEUE_FULL: { retry: 'later', status: 503, title: 'the queue is full', operator: 'Add consumers | raise the limit.' },
}

describe('the error registry', () => {
  it('equals docs/errors.md, both ways (after a change: npm run errors-doc)', () => {
    assert.equal(readFileSync(join(root, 'docs/errors.md'), 'utf8'), errorsDocument(registries, retiredCodes))
  })

  it('shows every member of an entry, so that no change of one goes unnoticed', () => {
    const { QUEUE_FULL: entry } = sample
    assert.ok(entry)
    const before = errorsDocument([{ owner: 'packages', errors: sample }], [])
    const changes = [{ retry: 'never' }, { status: 429 }, { title: 'full' }, { operator: 'Wait.' }] as const
    for (const change of changes) {
      const errors = { QUEUE_FULL: { ...entry, ...change } }
      assert.notEqual(errorsDocument([{ owner: 'packages', errors }], []), before, JSON.stringify(change))
    }
    assert.match(
      before,
      /\| `QUEUE_FULL` \| 503 \| later \| \*\*the queue is full\*\*\. Add consumers \\\| raise the limit\. \|/,
    )
  })

  it('gives each code to one owner and uses no retired one', () => {
    assert.deepEqual(conflicts(registries, retiredCodes), [])
  })

  it('notices a code of two owners and a retired one that is used', () => {
    const twice = [
      { owner: 'packages', errors: sample },
      { owner: 'orders', errors: sample },
    ]
    assert.deepEqual(conflicts(twice, []), ['QUEUE_FULL of orders is also one of packages'])
    const retired = [{ code: 'QUEUE_FULL', since: '0.2.0', now: 'QUEUE_UNAVAILABLE' }]
    assert.deepEqual(conflicts(twice.slice(0, 1), retired), [
      'QUEUE_FULL of packages is also one of the codes retired in 0.2.0',
    ])
  })

  it('writes codes in capitals, titles and operator texts as sentences need them', () => {
    for (const { owner, errors } of registries) {
      for (const [code, { title, operator, status }] of Object.entries(errors)) {
        assert.match(code, /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/, owner)
        assert.match(title, /^\S.*[^.]$/, code)
        assert.match(operator, /[.]$/, code)
        assert.ok(status >= 400 && status <= 599, code)
      }
    }
  })
})
