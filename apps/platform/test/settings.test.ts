import assert from 'node:assert/strict'
import { it } from 'node:test'
import { readSettings } from '@headrace/runtime'
import { platformSettings } from '../src/settings.ts'

it('an origin that no browser sends stops the start and is named', () => {
  for (const CORS_ORIGINS of ['https://app.example', '*', 'http://localhost:3000,https://app.example:8443']) {
    assert.deepEqual(readSettings(platformSettings, { CORS_ORIGINS }).CORS_ORIGINS, CORS_ORIGINS.split(','))
  }
  for (const CORS_ORIGINS of [
    'app.example',
    'https://app.example/',
    'https://*.app.example/x',
    'https://a.example,foo',
  ]) {
    const named = new RegExp(`CORS_ORIGINS is '${RegExp.escape(CORS_ORIGINS)}': expected a comma list of origins`)
    assert.throws(() => readSettings(platformSettings, { CORS_ORIGINS }), named)
  }
})

it('a wait for the order intake’s worker that outlasts the connection of whoever waits stops the start', () => {
  assert.equal(readSettings(platformSettings, { ACK_TIMEOUT_MS: '45s' }).ACK_TIMEOUT_MS, 45_000)
  assert.throws(() => readSettings(platformSettings, { ACK_TIMEOUT_MS: '60s' }), /ACK_TIMEOUT_MS is '60s'/)
})
