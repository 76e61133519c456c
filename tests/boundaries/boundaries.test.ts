import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Violation } from './rule.ts'
import { importRules } from './rules/imports.ts'
import { purityRules } from './rules/purity.ts'
import { sqlRules } from './rules/sql.ts'
import { readTree } from './tree.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const fixtures = fileURLToPath(new URL('fixtures', import.meta.url))
const repository = readTree(root)

/** Every line of a fixture that says `seeded` must be found, and no other. */
function seededLines(folder: string): string[] {
  return globSync('**/*.{ts,sql,json}', { cwd: folder })
    .flatMap((path) =>
      readFileSync(join(folder, path), 'utf8')
        .split('\n')
        .flatMap((line, index) => (line.includes('seeded') ? [`${path}:${index + 1}`] : [])),
    )
    .sort()
}

function places(violations: readonly Violation[]): string[] {
  return [...new Set(violations.map(({ path, line }) => `${path}:${line}`))].sort()
}

describe('the boundaries', () => {
  for (const rule of [...importRules, ...purityRules, ...sqlRules]) {
    describe(rule.promise, () => {
      it('holds in the repository', () => {
        const found = rule.check(repository).map(({ path, line, what }) => `${path}:${line} ${what}`)
        assert.deepEqual(found, [])
      })

      it('is enforced: the seeded violations are found, and only they', () => {
        const folder = join(fixtures, rule.name)
        assert.ok(existsSync(folder), `${rule.name} has no fixture`)
        const seeded = seededLines(folder)
        assert.ok(seeded.length > 0, `${rule.name} has no seeded violation`)
        assert.deepEqual(places(rule.check(readTree(folder))), seeded)
      })
    })
  }
})
