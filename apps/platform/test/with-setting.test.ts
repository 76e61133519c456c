import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withSetting } from '../src/cli/with-setting.ts'

describe('an env file with one variable set', () => {
  it('has a line more where there was none', () => {
    assert.equal(withSetting('', 'QUEUE_TYPE', 'nats'), 'QUEUE_TYPE=nats\n')
    assert.equal(withSetting('A=1\n', 'QUEUE_TYPE', 'nats'), 'A=1\nQUEUE_TYPE=nats\n')
    assert.equal(withSetting('A=1', 'QUEUE_TYPE', 'nats'), 'A=1\nQUEUE_TYPE=nats\n')
  })

  it('has the line replaced that counts, and keeps comments and line ends', () => {
    const text = '# QUEUE_TYPE=postgres\r\nexport QUEUE_TYPE = "nats" # was memory\r\nB=2\r\n'
    assert.equal(withSetting(text, 'QUEUE_TYPE', 'kafka'), '# QUEUE_TYPE=postgres\r\nQUEUE_TYPE=kafka\r\nB=2\r\n')
  })
})
