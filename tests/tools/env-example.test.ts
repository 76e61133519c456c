import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parseEnvFile, readSettings } from '@headrace/runtime'
import { platformSettings } from '../../apps/platform/src/settings.ts'
import { envExample } from '../../tools/env-example/document.ts'

const example = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8')

describe('.env.example', () => {
  it('is what the settings say (`npm run env-example`)', () => {
    assert.equal(example, envExample(platformSettings))
  })

  it('names every setting, and copied as it is changes nothing', () => {
    for (const name of Object.keys(platformSettings)) assert.match(example, new RegExp(`^(# )?${name}=`, 'm'))
    assert.deepEqual(
      readSettings(platformSettings, parseEnvFile(example, '.env.example')),
      readSettings(platformSettings, {}),
    )
  })
})
