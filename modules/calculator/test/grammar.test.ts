import assert from 'node:assert/strict'
import { it } from 'node:test'
import { calc, ExpressionError } from '../src/contract.ts'
import { parse } from '../src/domain/parse.ts'

const values: readonly (readonly [string, number])[] = [
  ['2+2*2', 6],
  ['(2+2)*2', 8],
  ['8-3-2', 3],
  ['16/4/2', 2],
  ['2*3+4*5-6/2', 23],
  ['-2', -2],
  ['--2', 2],
  ['-(1+2)*3', -9],
  ['2*-3', -6],
  ['2--3', 5],
  ['-(-(-(4)))', -4],
  ['1.5+.5', 2],
  ['2.*3', 6],
  [' 1\t+\n2 ', 3],
  ['0.1+0.2', 0.30000000000000004],
  ['((((7))))', 7],
  ['007', 7],
]

it('an expression has the value that its grammar gives it', () => {
  for (const [text, value] of values) assert.equal(calc(text), value, text)
})

const errors: readonly (readonly [string, string])[] = [
  ['2+y', 'expected number'],
  ['1++2', 'expected number'],
  ['+1', 'expected number'],
  ['()', 'expected number'],
  ['*2', 'expected number'],
  ['1+', 'unexpected end of expression'],
  ['', 'unexpected end of expression'],
  ['  ', 'unexpected end of expression'],
  ['-', 'unexpected end of expression'],
  ['(', 'unexpected end of expression'],
  ['(1+2', 'missing closing parenthesis'],
  ['(1 2)', 'missing closing parenthesis'],
  ['((1)', 'missing closing parenthesis'],
  ['1.2.3', 'invalid number'],
  ['.', 'invalid number'],
  ['9'.repeat(400), 'invalid number'],
  ['2(3)', 'unexpected characters at position 1: (3)'],
  ['1 2', 'unexpected characters at position 2: 2'],
  ['  1)', 'unexpected characters at position 3: )'],
  ['1e5', 'unexpected characters at position 1: e5'],
  ['3 % 2 ', 'unexpected characters at position 2: % 2 '],
]

it('an expression that does not follow the grammar is refused with what is wrong with it', () => {
  for (const [text, message] of errors) {
    assert.throws(
      () => calc(text),
      (error) => error instanceof ExpressionError && error.message === message,
      text,
    )
  }
})

it('an error says where it was noticed, in the text as submitted', () => {
  assert.throws(() => parse('  1 + y'), { position: 6 })
  assert.throws(() => parse('(1+2'), { position: 4 })
  assert.throws(() => parse('1 + 1.2.3'), { position: 4 })
})

it('division by zero and results out of range are found while computing', () => {
  assert.throws(() => calc('1/0'), { name: 'RangeError', message: 'division by zero' })
  assert.throws(() => calc('1/(2-2)'), { message: 'division by zero' })
  assert.throws(() => calc('1/-0'), { message: 'division by zero' })
  assert.throws(() => calc(`${'9'.repeat(308)}*10`), { message: 'result out of range' })
})

it('64 KiB of any shape are read in a moment, without recursion', () => {
  const size = 65_536
  const shapes = [
    `${'1+'.repeat(size / 2 - 1)}1`,
    `${'('.repeat(size / 2 - 1)}1${')'.repeat(size / 2 - 1)}`,
    `${'-'.repeat(size - 1)}1`,
    '1'.repeat(300) + '+1'.repeat(size / 2 - 200),
    `${'-('.repeat(20_000)}1${')'.repeat(20_000)}`,
    `${'(1+'.repeat(16_000)}1${')'.repeat(16_000)}`,
  ]
  for (const shape of shapes) {
    const startedAt = performance.now()
    assert.equal(Number.isFinite(calc(shape)), true)
    assert.ok(performance.now() - startedAt < 2_000, `${shape.slice(0, 10)}… took too long`)
  }
})

it('equal sub-expressions are one step, a sign is none', () => {
  assert.equal(parse('(1+2)*(1+2)').steps.length, 2)
  assert.equal(parse('(1+2)*-(1+2)').steps.length, 2)
  assert.equal(parse('-5').steps.length, 0)
  assert.equal(parse('(1+2)-(2+1)').steps.length, 3)
  assert.equal(parse('(1*0)+(1*-0)').steps.length, 3)
})
