import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PlatformError } from '@headrace/runtime'
import { confirmed } from '../src/cli/confirm.ts'
import { databasePlace } from '../src/cli/database-place.ts'
import { UsageError } from '../src/cli/exit-codes.ts'
import { failureOf } from '../src/cli/failure.ts'
import { shortened, table } from '../src/cli/table.ts'
import type { Terminal } from '../src/cli/terminal.ts'

function terminalThatAnswers(answer: string | undefined): Terminal & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    env: {},
    interactive: answer !== undefined,
    outputIsTerminal: false,
    out() {},
    err() {},
    async ask(question) {
      asked.push(question)
      return answer ?? ''
    },
    stopRequested: () => new Promise(() => {}),
  }
}

describe('a question before something is changed', () => {
  for (const [answer, agreed] of [
    ['y', true],
    ['YES', true],
    ['', false],
    ['n', false],
    ['yes please', false],
  ] as const) {
    it(`answered with '${answer}' ${agreed ? 'agrees' : 'does not agree'}`, async () => {
      const terminal = terminalThatAnswers(answer)
      assert.equal(await confirmed(terminal, { question: 'Drop it?', yes: false }), agreed)
      assert.deepEqual(terminal.asked, ['Drop it? [y/N] '])
    })
  }

  it('is not asked with --yes, and is wrong usage where nobody can be asked', async () => {
    const nobody = terminalThatAnswers(undefined)
    assert.equal(await confirmed(nobody, { question: 'Drop it?', yes: true }), true)
    await assert.rejects(confirmed(nobody, { question: 'Drop it?', yes: false }), UsageError)
    assert.deepEqual(nobody.asked, [])
  })
})

describe('a failure', () => {
  const taken = new PlatformError('PORT_TAKEN', 'port 8080 is taken')
  const start = new PlatformError('MODULE_START_FAILED', `'x:y' did not start: port 8080 is taken`, { cause: taken })

  it('is told with the innermost code and what the operator does, without a stack', () => {
    const { exitCode, lines } = failureOf(start, { debug: false })
    assert.equal(exitCode, 1)
    assert.equal(lines[0], `headrace: 'x:y' did not start: port 8080 is taken`)
    assert.match(lines[1] ?? '', /^ {2}PORT_TAKEN: Another process listens there/)
    assert.equal(lines.length, 2)
  })

  it('of a setting is wrong usage, also inside another', () => {
    const setting = new PlatformError('INVALID_SETTING', 'A is 1\nB is 2')
    const inside = new PlatformError('MODULE_START_FAILED', 'not started', { cause: setting })
    assert.deepEqual(
      [setting, inside].map((error) => failureOf(error, { debug: false }).exitCode),
      [2, 2],
    )
    assert.deepEqual(failureOf(setting, { debug: false }).lines.slice(0, 3), ['headrace:', '  A is 1', '  B is 2'])
  })

  it('that nobody foresaw says how to see where it comes from, and shows it when asked', () => {
    assert.deepEqual(failureOf(new Error('oops'), { debug: false }).lines, [
      'headrace: oops (LOG_LEVEL=debug shows where)',
    ])
    assert.match(failureOf(new Error('oops'), { debug: true }).lines.join('\n'), /\n {4}at /)
  })
})

describe('what is printed', () => {
  it('stands in columns, numbers to the right', () => {
    const columns = [
      { title: 'name', value: ({ name }: { name: string }) => name },
      { title: 'n', align: 'right' as const, value: ({ name }: { name: string }) => String(name.length * 50) },
    ]
    assert.deepEqual(table(columns, [{ name: 'ä' }, { name: 'long name' }]), [
      'name         n',
      'ä           50',
      'long name  450',
    ])
  })

  it('is cut to one line where space is short', () => {
    assert.equal(shortened('one\n two  three', 9), 'one two …')
    assert.equal(shortened('short', 9), 'short')
  })

  it('names a database server without user, password and options', () => {
    assert.equal(
      databasePlace('postgres://joe:secret@db.example/shop?password=x'),
      'PostgreSQL at db.example:5432/shop',
    )
  })
})
