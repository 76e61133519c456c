import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { redisAddress, redisHostAndPort } from '../src/index.ts'

describe('redisAddress', () => {
  it('reads host, port, user, password and database, with what is left out', () => {
    assert.deepEqual(redisAddress('redis://cache'), { host: 'cache', port: 6379, db: 0, tls: false })
    assert.deepEqual(redisAddress('rediss://me:p%40ss@cache:7000/3'), {
      host: 'cache',
      port: 7000,
      user: 'me',
      password: 'p@ss',
      db: 3,
      tls: true,
    })
    assert.equal(redisAddress('redis://[::1]:7000').host, '::1')
    assert.equal(redisAddress('redis://:secret@cache').user, undefined)
  })

  it('repeats nothing of what is wrong, because it may hold a password', () => {
    for (const bad of ['cache:6379', 'http://u:secret@cache', 'redis://u:secret@cache/first', 'secret']) {
      assert.throws(
        () => redisAddress(bad),
        (error: unknown) => {
          assert.ok(error instanceof RangeError)
          return !error.message.includes('secret')
        },
      )
    }
  })
})

describe('redisHostAndPort', () => {
  it('reads a host with or without a port', () => {
    assert.deepEqual(redisHostAndPort('cache'), { host: 'cache', port: 6379 })
    assert.deepEqual(redisHostAndPort('10.0.0.1:7000'), { host: '10.0.0.1', port: 7000 })
    assert.deepEqual(redisHostAndPort('[::1]:7000'), { host: '::1', port: 7000 })
  })

  it('names what is neither', () => {
    for (const bad of ['', ':6379', 'cache:x', 'cache:99999', 'a b', 'redis://cache']) {
      assert.throws(() => redisHostAndPort(bad), { name: 'RangeError', message: `'${bad}' is not host:port` })
    }
  })
})
