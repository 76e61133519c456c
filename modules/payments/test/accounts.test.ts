import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Queryable } from '@headrace/database'
import { PlatformError } from '@headrace/runtime'
import { answerMs } from '../src/accounts-client.ts'
import { accountsHere } from '../src/accounts-here.ts'

const user = '0190a000-0000-7000-8000-000000000001'

describe('whether a user has an account', () => {
  const asked = (query: Queryable['query']) => accountsHere({ query }, () => undefined).hasAccount(user)

  it('is not known while the database is away, and a mistake of ours is not hidden by that', async () => {
    const away = new PlatformError('DATABASE_UNAVAILABLE', 'refused')
    assert.equal(await asked(() => Promise.reject(away)), undefined)
    await assert.rejects(
      asked(() => Promise.reject(new TypeError('x'))),
      TypeError,
    )
  })

  it('is not waited for longer than an order can wait, though the database hangs', async ({ mock }) => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const answer = asked(() => new Promise(() => undefined))
    mock.timers.tick(answerMs)
    assert.equal(await answer, undefined)
  })
})
