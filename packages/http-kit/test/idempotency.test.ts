import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode } from '@headrace/runtime'
import { decideByKey, fingerprint, idempotencyKey, isStorable, isTwinConflict, keyId, twins } from '../src/index.ts'

describe('idempotencyKey', () => {
  it('a quoted and a bare text are one key', () => {
    assert.equal(idempotencyKey('"8e03978e-40d5"'), '8e03978e-40d5')
    assert.equal(idempotencyKey(' 8e03978e-40d5 '), '8e03978e-40d5')
    assert.equal(idempotencyKey('"a \\" b \\\\ c"'), 'a " b \\ c')
    assert.equal(idempotencyKey('x'.repeat(255)), 'x'.repeat(255))
    assert.equal(idempotencyKey(undefined), undefined)
  })

  for (const header of [
    '',
    '""',
    '"',
    'a b',
    '"a',
    'a"',
    'x'.repeat(256),
    `"${'x'.repeat(256)}"`,
    'a, b',
    '"a", "b"',
    'ä',
    '"a\\b"',
    'a\tb',
    ['a', 'b'],
  ]) {
    it(`refuses ${JSON.stringify(header).slice(0, 40)}`, () => {
      assert.throws(
        () => idempotencyKey(header),
        (error) => hasCode(error, 'INVALID_REQUEST'),
      )
    })
  }

  it('a hostile key is refused in time', () => {
    const before = process.cpuUsage()
    assert.throws(() => idempotencyKey(`"${'\\"'.repeat(8000)}`))
    assert.ok(process.cpuUsage(before).user < 100_000, 'takes longer than its length')
  })
})

describe('keyId and fingerprint', () => {
  const scope = { caller: 'user:7', method: 'POST', route: '/orders' }

  it('keys of other callers, methods and routes never meet', () => {
    const ids = [
      keyId(scope, 'k'),
      keyId({ ...scope, caller: 'user:8' }, 'k'),
      keyId({ ...scope, method: 'PUT' }, 'k'),
      keyId({ ...scope, route: '/orders/k' }, ''),
      keyId(scope, 'k2'),
      keyId({ ...scope, caller: 'user:7","POST' }, 'k'),
    ]
    assert.equal(new Set(ids.map((id) => id.toString('hex'))).size, ids.length)
    assert.deepEqual(keyId(scope, 'k'), keyId({ ...scope }, 'k'))
  })

  it('the order of keys does not matter, every value does', () => {
    const of = (body: unknown) => fingerprint('POST', '/orders', body).toString('hex')
    assert.equal(of({ a: 1, b: { c: [1, 2], d: 'x' } }), of({ b: { d: 'x', c: [1, 2] }, a: 1 }))
    const bodies = [
      { a: 1 },
      { a: '1' },
      { a: 2 },
      { a: [1, 2] },
      { a: [2, 1] },
      {},
      undefined,
      null,
      Buffer.from('{"a":3}'),
      { a: null },
    ]
    assert.equal(new Set(bodies.map(of)).size, bodies.length)
    assert.notEqual(fingerprint('PUT', '/orders', {}).toString('hex'), of({}))
  })
})

describe('decideByKey', () => {
  const mine = fingerprint('POST', '/x', { a: 1 })
  const response = { status: 201, body: { id: 1 } }

  it('a key that was never seen is fresh', () => {
    assert.deepEqual(decideByKey(undefined, mine), { kind: 'fresh' })
  })

  it('the same request is answered the same again', () => {
    assert.deepEqual(decideByKey({ fingerprint: mine, effectId: 'e', response }, mine), { kind: 'replay', response })
  })

  it('the same request whose answer is missing goes on with the same effect', () => {
    assert.deepEqual(decideByKey({ fingerprint: mine, effectId: 'e', response: undefined }, mine), {
      kind: 'unanswered',
      effectId: 'e',
    })
  })

  it('another request is refused', () => {
    const other = fingerprint('POST', '/x', { a: 2 })
    for (const stored of [response, undefined]) {
      assert.throws(
        () => decideByKey({ fingerprint: other, effectId: 'e', response: stored }, mine),
        (error) => hasCode(error, 'IDEMPOTENCY_KEY_REUSED') && error.definition.status === 422,
      )
    }
  })

  it('faults of ours and refusals for load are not stored', () => {
    assert.deepEqual([200, 201, 400, 404, 409, 422, 429, 500, 503].map(isStorable), [
      true,
      true,
      true,
      true,
      true,
      true,
      false,
      false,
      false,
    ])
  })
})

describe('twins', () => {
  it('the second of two is refused until the first is done', () => {
    const running = twins()
    const id = keyId({ caller: 'a', method: 'POST', route: '/x' }, 'k')
    {
      using _ = running.enter(id)
      assert.throws(
        () => running.enter(Buffer.from(id)),
        (error) => hasCode(error, 'IDEMPOTENCY_KEY_IN_PROGRESS'),
      )
      using __ = running.enter(keyId({ caller: 'b', method: 'POST', route: '/x' }, 'k'))
    }
    running.enter(id)[Symbol.dispose]()
  })

  it('a conflict with a twin elsewhere is recognised, also as a cause', () => {
    const conflict = Object.assign(new Error('duplicate'), { code: '23505', constraint: 'idempotency_key_pkey' })
    assert.ok(isTwinConflict(conflict))
    assert.ok(isTwinConflict(new Error('wrapped', { cause: conflict })))
    assert.ok(!isTwinConflict(Object.assign(new Error('duplicate'), { code: '23505', constraint: 'other' })))
    assert.ok(!isTwinConflict('x'))
  })
})
