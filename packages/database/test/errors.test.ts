import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PlatformError } from '@headrace/runtime'
import {
  isConnectionError,
  isInfrastructureError,
  isUniqueViolation,
  sqlState,
  wrapDatabaseError,
} from '../src/errors.ts'

function withCode(code: string, message = 'told by the server'): Error {
  return Object.assign(new Error(message), { code })
}

/** PostgreSQL, Appendix A: one state or more of each class that design.md names, and of its neighbours. */
const infrastructure = [
  '08000',
  '08003',
  '08006',
  '08001',
  '08004',
  '08P01',
  '40001',
  '40P01',
  '40003',
  '40000',
  '53000',
  '53100',
  '53200',
  '53300',
  '53400',
  '57000',
  '57P01',
  '57P02',
  '57P03',
  '57P04',
  '57P05',
  '58000',
  '58030',
  '58P01',
  '25P03',
  '25P04',
  '55P03',
]
const ownFault = [
  '57014',
  '21000',
  '22001',
  '22003',
  '22012',
  '22021',
  '22P02',
  '23502',
  '23503',
  '23505',
  '23514',
  '23P01',
  '25001',
  '25006',
  '25P02',
  '28P01',
  '2BP01',
  '3D000',
  '42501',
  '42601',
  '42703',
  '42P01',
  '54000',
  '54001',
  '55000',
  '55006',
  'P0001',
  'HR001',
  'XX000',
  'XX001',
]

describe('isInfrastructureError', () => {
  for (const state of infrastructure) {
    it(`SQLSTATE ${state} is the database's state and no attempt`, () => {
      assert.equal(isInfrastructureError(withCode(state)), true)
    })
  }

  for (const state of ownFault) {
    it(`SQLSTATE ${state} is the statement's own fault`, () => {
      assert.equal(isInfrastructureError(withCode(state)), false)
    })
  }

  for (const code of ['DATABASE_UNAVAILABLE', 'COMMIT_UNKNOWN', 'KEYVALUE_UNAVAILABLE'] as const) {
    it(`${code} is infrastructure`, () => assert.equal(isInfrastructureError(new PlatformError(code, 'away')), true))
  }

  for (const code of ['QUEUE_FULL', 'MESSAGE_TOO_LARGE', 'TOPIC_UNKNOWN', 'POISON_MESSAGE'] as const) {
    it(`${code} is not`, () => assert.equal(isInfrastructureError(new PlatformError(code, 'no')), false))
  }
})

describe('isConnectionError', () => {
  for (const code of ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN']) {
    it(`takes ${code} of a socket for a lost connection`, () => {
      assert.equal(isConnectionError(withCode(code)), true)
      assert.equal(sqlState(withCode(code)), undefined)
    })
  }

  for (const message of [
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'timeout exceeded when trying to connect',
    'timeout expired',
    'Cannot use a pool after calling end on the pool',
  ]) {
    it(`knows the client's words “${message}”`, () => assert.equal(isConnectionError(new Error(message)), true))
  }

  for (const code of ['ENOENT', 'EACCES', 'ENOSPC', 'EISDIR', 'ERR_INVALID_ARG_TYPE']) {
    it(`does not take ${code}, which a handler's own work throws, for a lost connection`, () => {
      assert.equal(isConnectionError(withCode(code)), false)
      assert.equal(isInfrastructureError(withCode(code)), false)
    })
  }

  it('does not take what is no error for one', () => {
    for (const value of [undefined, null, 'Connection terminated', 7, {}]) assert.equal(isConnectionError(value), false)
  })
})

describe('wrapDatabaseError', () => {
  for (const state of ['08006', '08P01', '25P03', '57P01', '57P02', '57P03', '57P05', '53300']) {
    it(`turns ${state} into DATABASE_UNAVAILABLE with its cause`, () => {
      const cause = withCode(state)
      const wrapped = wrapDatabaseError(cause)
      assert(wrapped instanceof PlatformError)
      assert.equal(wrapped.code, 'DATABASE_UNAVAILABLE')
      assert.equal(wrapped.cause, cause)
    })
  }

  for (const state of ['57014', '40001', '40P01', '23505', '53100', '42P01', '25P02']) {
    it(`passes ${state} as it is`, () => {
      const error = withCode(state)
      assert.equal(wrapDatabaseError(error), error)
    })
  }

  it('passes an error of the platform as it is', () => {
    const error = new PlatformError('QUEUE_FULL', 'full')
    assert.equal(wrapDatabaseError(error), error)
  })

  it('wraps only once', () => {
    const wrapped = wrapDatabaseError(withCode('ECONNRESET'))
    assert.equal(wrapDatabaseError(wrapped), wrapped)
  })
})

describe('isUniqueViolation', () => {
  it('is true for 23505 only', () => {
    assert.equal(isUniqueViolation(withCode('23505')), true)
    assert.equal(isUniqueViolation(withCode('23503')), false)
    assert.equal(isUniqueViolation(new Error('duplicate key')), false)
  })
})
