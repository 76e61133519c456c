import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { normaliser } from '../../tools/walkthrough/normalise.ts'
import { stepsOf, withOutputs } from '../../tools/walkthrough/page.ts'

const page = [
  '# Page',
  '```js file=a.mjs',
  'let a',
  '```',
  '```console',
  '$ first',
  'one',
  'two',
  '$ second',
  '```',
  '```sh',
  '$ only to look at',
  '```',
].join('\n')

const id = (digit: string) => `${digit.repeat(8)}-1111-7111-8111-111111111111`

describe('a walkthrough', () => {
  it('has its files and calls as steps, in their order and with their lines', () => {
    assert.deepEqual(stepsOf(page), [
      { kind: 'file', line: 2, name: 'a.mjs', text: 'let a\n' },
      { kind: 'call', line: 6, command: 'first', shown: ['one', 'two'] },
      { kind: 'call', line: 9, command: 'second', shown: [] },
    ])
  })

  it('gets real outputs below its calls, and nothing else changes', () => {
    const written = withOutputs(
      page,
      new Map([
        [6, ['eins']],
        [9, ['zwei', 'drei']],
      ]),
    )
    assert.equal(written, page.replace('one\ntwo', 'eins').replace('$ second', '$ second\nzwei\ndrei'))
  })

  it('that is not closed, or shows an output without a call, is refused', () => {
    assert.throws(() => stepsOf('```console\n$ a'), /line 1: the block is not closed/)
    assert.throws(() => stepsOf('```console\na\n```'), /line 2: a block of calls begins with/)
  })

  it('is compared without what differs from run to run, and nothing else', () => {
    const normalise = normaliser()
    const line = 'at 2026-01-02T03:04:05.678Z after 12.5 ms  in process 17, "pid": 18'
    assert.equal(normalise(line), 'at <time> after <duration> in process <pid>, "pid": <pid>')
    assert.equal(normalise('{"processed":8,"port":8080}'), '{"processed":8,"port":8080}')
  })

  it('must show the same id where the same one came, and another where another came', () => {
    const [shown, same, other] = [normaliser(), normaliser(), normaliser()]
    const wanted = [shown(id('a')), shown(id('b')), shown(id('a'))]
    assert.deepEqual([same(id('c')), same(id('d')), same(id('c'))], wanted)
    assert.notDeepEqual([other(id('c')), other(id('d')), other(id('d'))], wanted)
  })
})
