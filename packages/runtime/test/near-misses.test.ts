import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nearMisses } from '../src/index.ts'

const known = ['API_PORT', 'HOST', 'PORT', 'QUEUE_TYPE', 'KAFKA_BROKERS', 'LOG_LEVEL', 'DATABASE_URL']

describe('nearMisses', () => {
  for (const [name, meant] of [
    ['QUEUE_TYP', 'QUEUE_TYPE'],
    ['KAFKA_BROKER', 'KAFKA_BROKERS'],
    ['QUEUETYPE', 'QUEUE_TYPE'],
    ['queue_type', 'QUEUE_TYPE'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['APi_PROT', 'API_PORT'],
    ['LOG_LEVLE', 'LOG_LEVEL'],
  ] as const) {
    it(`${name} was probably meant to be ${meant}`, () => {
      assert.deepEqual(nearMisses(known, { [name]: 'x' }), [{ name, meant }])
    })
  }

  it('variables of other programs and those that are read are left alone', () => {
    const others = ['HOME', 'PATH', 'POST', 'HOSTNAME', 'API_HOST', 'KAFKA_HEAP_OPTS', 'PGHOST', 'TERM', 'NODE_ENV']
    const env = Object.fromEntries([...others, ...known].map((name) => [name, 'x']))
    assert.deepEqual(nearMisses(known, env), [])
  })
})
