import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { lex } from './lexer.ts'

describe('the lexer', () => {
  it('blanks comments and keeps every place', () => {
    const source = "a() // b('c')\n/* d\n */ e"
    assert.equal(lex(source).code, 'a()          \n    \n    e')
  })

  it('keeps what strings, templates and regular expressions hold out of the code', () => {
    const source = "f('// x', \"y's\", `z ${g(`inner ${1}`)} // w`, /[/'\"]/) // end"
    const { bare, strings } = lex(source)
    assert.equal(bare.replaceAll(/ +/g, ' ').trim(), 'f(\' \', " ", ` ${g(` ${1}`)} `, / /)')
    assert.deepEqual(
      strings.map(({ text }) => text),
      ['// x', "y's", 'z ', 'inner ', '', ' // w', '[/\'"]'],
    )
  })

  it('tells a division from a regular expression', () => {
    assert.deepEqual(
      lex("a / b / c('x')").strings.map(({ text }) => text),
      ['x'],
    )
  })
})
