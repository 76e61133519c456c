import assert from 'node:assert/strict'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isTest, readTree, type Source, type Tree } from './tree.ts'

/**
 * Lines of code of log + inbox + transport, without blank lines and comments: what must be right stays readable in an
 * afternoon. 2 500 was the aim; docs/decisions/0008 says what the rest is and where to take it back.
 */
const kernelBudgetLines = 2920
const kernel = new Set(['packages/log', 'packages/inbox', 'packages/transport'])
/** A transport's drivers and what only they share are counted apart: bound by the suite, not by this budget. */
const drivers = /^src\/(memory|postgres|composite|cloud-events)[\w-]*(\.ts$|\/)/

function linesOf({ code }: Source): number {
  return code.split('\n').filter((line) => line.trim() !== '').length
}

function kernelLines(tree: Tree): { readonly path: string; readonly lines: number }[] {
  return tree.workspaces
    .filter(({ path }) => kernel.has(path))
    .map(({ path, sources }) => ({
      path,
      lines: sources
        .filter((source) => !isTest(source) && !drivers.test(source.inside))
        .reduce((sum, source) => sum + linesOf(source), 0),
    }))
}

it(`the kernel (log, inbox and transport, without drivers, suite and tests) has at most ${kernelBudgetLines} lines of code`, (context) => {
  const parts = kernelLines(readTree(fileURLToPath(new URL('../..', import.meta.url))))
  const sum = parts.reduce((all, { lines }) => all + lines, 0)
  const report = `${parts.map(({ path, lines }) => `${path} ${lines}`).join(', ')}: ${sum} of ${kernelBudgetLines} lines`
  context.diagnostic(report)
  assert.ok(sum <= kernelBudgetLines, report)
})

it('drivers, suite and tests do not count, everything else of the kernel does', () => {
  const source = (inside: string): Source => ({
    path: `packages/transport/${inside}`,
    inside,
    text: '// why\na\n\nb\n',
    code: '\na\n\nb\n',
    bare: '',
    strings: [],
    imports: [],
    lineOf: () => 1,
  })
  const names = [
    'src/transport.ts',
    'src/memory.ts',
    'src/postgres/read.ts',
    'src/suite/index.ts',
    'test/a.test.ts',
    'src/message.ts',
  ]
  const workspace = {
    path: 'packages/transport',
    kind: 'packages' as const,
    short: 'transport',
    name: '@headrace/transport',
    exports: [],
    dependencies: new Set<string>(),
    sources: names.map(source),
    sql: [],
  }
  assert.deepEqual(kernelLines({ workspaces: [workspace], rootDependencies: new Set() }), [
    { path: 'packages/transport', lines: 4 },
  ])
})
