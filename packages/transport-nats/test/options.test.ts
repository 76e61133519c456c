import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { natsSettings } from '../src/options.ts'

describe('options', () => {
  it('addresses give up their credentials and keep host and port', () => {
    const settings = natsSettings({ servers: ['nats://me:p%40ss@a.example', 'b.example:4333', 'nats://[::1]:4'] })
    assert.deepEqual(settings.servers, ['a.example:4222', 'b.example:4333', '[::1]:4'])
    assert.deepEqual([settings.user, settings.password, settings.tls], ['me', 'p@ss', undefined])
    assert.deepEqual(natsSettings({ servers: ['tls://a'] }).tls, {})
  })

  it('what is wrong is named, and a password never is', () => {
    assert.throws(() => natsSettings({ servers: [] }), /servers/)
    assert.throws(
      () => natsSettings({ servers: ['a', 'http://me:secret@b'] }),
      (error: Error) => error.message.includes('address 2') && !error.message.includes('secret'),
    )
    assert.throws(() => natsSettings({ servers: ['a'], replicas: 0 }), /replicas: 0/)
    assert.throws(() => natsSettings({ servers: ['a'], timeoutMs: 1.5 }), /timeoutMs: 1.5/)
  })
})
