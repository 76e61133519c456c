import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { hasCode, parseEnvFile, withEnvFile } from '../src/index.ts'

describe('parseEnvFile', () => {
  it('takes comments, quotes, blanks around =, export, Windows line ends and a byte order mark', () => {
    const written = [
      '\uFEFF# a comment',
      'A=1',
      '  B = two words # and a comment',
      "C='x # y'",
      'D="a\\nb\\"c" # comment',
      '',
      'export E=5',
      'F=',
      "G=''",
      'H=a#b',
      'I=http://x/#y',
      'J= # nothing',
      'A=last',
    ].join('\r\n')
    assert.deepEqual(parseEnvFile(written, '.env'), {
      A: 'last',
      B: 'two words',
      C: 'x # y',
      D: 'a\nb"c',
      E: '5',
      F: '',
      G: '',
      H: 'a#b',
      I: 'http://x/#y',
      J: '',
    })
  })

  for (const line of ['just words', '=hunter2', '1A=x', 'A="open', "A='open", 'A="x" y', 'my-name=1']) {
    it(`refuses the line ${line} with its number and without showing it`, () => {
      assert.throws(
        () => parseEnvFile(`OK=1\n${line}\n`, '.env'),
        (error: unknown) => {
          assert.ok(hasCode(error, 'INVALID_SETTING'))
          assert.match(error.message, /^\.env, line 2: /)
          assert.ok(!error.message.includes(line))
          return true
        },
      )
    })
  }

  it('a variable named __proto__ changes no object', () => {
    const values = parseEnvFile('__proto__=x', '.env')
    assert.equal(Object.getPrototypeOf(values), Object.prototype)
  })
})

describe('withEnvFile', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-env-'))

  it('what is really set wins over the file', () => {
    const path = join(folder, '.env')
    writeFileSync(path, 'A=file\nB=file\n')
    assert.deepEqual({ ...withEnvFile({ A: 'real' }, path) }, { A: 'real', B: 'file' })
  })

  it('a missing file is fine unless somebody named it', () => {
    const path = join(folder, 'missing.env')
    assert.deepEqual(withEnvFile({ A: '1' }, path), { A: '1' })
    assert.throws(
      () => withEnvFile({}, path, { required: true }),
      (error) => hasCode(error, 'INVALID_SETTING'),
    )
  })
})
