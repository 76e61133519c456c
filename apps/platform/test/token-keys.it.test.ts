import assert from 'node:assert/strict'
import { mkdtempDisposable, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { testDatabase } from '@headrace/database/testing'
import { person } from './support/people.ts'
import { get, testPlatform } from './support/platform.ts'

const kept = { HS256: 'jwt-secret', EdDSA: 'jwt-private-key.pem' } as const

describe('what signs tokens, where nobody has chosen it', { timeout: 240_000 }, () => {
  for (const algorithm of ['HS256', 'EdDSA'] as const) {
    it(`is made once and kept for its owner only: tokens outlive a restart (${algorithm})`, async () => {
      await using directory = await mkdtempDisposable(join(tmpdir(), 'token-keys-'))
      await using database = await testDatabase()
      const env = {
        DATABASE_URL: database.url,
        HEADRACE_DATA: directory.path,
        JWT_ALGORITHM: algorithm,
        JWT_SECRET: '',
      }
      const first = await testPlatform({ only: 'auth,gateway', env })
      const { headers } = await person(first.at('gateway'))
      await first[Symbol.asyncDispose]()
      assert.equal((await stat(join(directory.path, kept[algorithm]))).mode & 0o777, 0o600)

      await using second = await testPlatform({ only: 'auth,gateway', env })
      assert.equal((await get(`${second.at('gateway')}/api/v1/me`, headers)).status, 200)
      const { status, body } = await get(`${second.at('gateway')}/.well-known/jwks.json`)
      assert.equal(status, algorithm === 'EdDSA' ? 200 : 404)
      if (algorithm === 'EdDSA') assert.equal((body['keys'] as unknown[]).length, 1)
    })
  }
})
