import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { migrate, openDatabase } from '@headrace/database'
import { testDatabase } from '@headrace/database/testing'
import { hasCode } from '@headrace/runtime'
import { migrationSources } from '../src/platform.ts'
import { get, testPlatform } from './support/platform.ts'

function names({ platform }: { platform: { addresses: readonly { name: string }[] } }): string[] {
  return platform.addresses.map(({ name }) => name)
}

describe('ports', { timeout: 240_000 }, () => {
  it('are the gateway’s, those of the older walkthroughs and the internal one where everything runs', async () => {
    await using running = await testPlatform()
    assert.deepEqual(names(running), ['gateway', 'ingest', 'processor', 'calculator', 'console', 'internal'])
    for (const port of names(running)) {
      for (const path of ['health', 'healthz']) {
        assert.deepEqual((await get(`${running.at(port)}/${path}`)).body, { status: 'ok', healthy: true })
      }
      assert.deepEqual((await get(`${running.at(port)}/ready`)).body, {
        status: 'ready',
        database: 'ok',
        broker: 'ok',
        keyvalue: 'ok',
      })
    }
  })

  it('of the calculator says at /healthz whether its carrier can be used', async () => {
    // Nobody listens there.
    const env = { CALCULATOR_QUEUE_TYPE: 'nats', NATS_URL: 'nats://127.0.0.1:1' }
    await using away = await testPlatform({ only: 'auth,calculator', env })
    const { status, body } = await get(`${away.at('calculator')}/healthz`)
    assert.deepEqual([status, body['code']], [503, 'broker_unavailable'])
    assert.equal((await get(`${away.at('calculator')}/health`)).status, 200)
  })

  it('of the older walkthroughs can be closed', async () => {
    await using running = await testPlatform({
      env: { INGEST_PORT: 'off', PROCESSOR_PORT: 'off', CALCULATOR_PORT: 'off', CONSOLE_PORT: 'off' },
    })
    assert.deepEqual(names(running), ['gateway', 'internal'])
  })

  it('are opened only where their module runs', async () => {
    await using ingest = await testPlatform({ only: 'pipeline:ingest' })
    assert.deepEqual(names(ingest), ['ingest', 'internal'])
    await using processor = await testPlatform({ only: 'pipeline:processor' })
    assert.deepEqual(names(processor), ['processor', 'internal'])
  })

  it('of a process without the gateway is PORT when its own is closed', async () => {
    await using running = await testPlatform({ only: 'pipeline:ingest', env: { INGEST_PORT: 'off', PORT: '0' } })
    assert.deepEqual(names(running), ['public', 'internal'])
    assert.equal((await get(`${running.at('public')}/stats`)).body['TotalReceived'], 0)
  })

  it('that are taken stop the start, which names the port and the variable', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const { port } = taken.address() as { port: number } // a TCP server's address
    try {
      await assert.rejects(testPlatform({ env: { PROCESSOR_PORT: String(port) } }), (error: Error) => {
        assert.ok(hasCode(error, 'PORT_TAKEN'))
        assert.match(error.message, new RegExp(`${port}.*PROCESSOR_PORT`))
        return true
      })
    } finally {
      taken.close()
    }
  })

  it('beyond this machine need a secret that somebody chose', async () => {
    const env = { HOST: '0.0.0.0', JWT_SECRET: '' }
    await assert.rejects(testPlatform({ env }), (error: Error) => {
      assert.ok(hasCode(error, 'INVALID_SETTING'))
      assert.match(error.message, /^JWT_SECRET is not set: .*0\.0\.0\.0/)
      return true
    })
  })
})

describe('a start', { timeout: 240_000 }, () => {
  it('that may not migrate refuses an older schema, and takes the present one', async () => {
    await using database = await testDatabase()
    const env = { DATABASE_URL: database.url }
    await assert.rejects(testPlatform({ env, migrate: false }), (error) => hasCode(error, 'SCHEMA_OUTDATED'))
    await using migrating = openDatabase({ url: database.url, maxConnections: 1 })
    await migrate(migrating, migrationSources)
    await using running = await testPlatform({ env, migrate: false })
    assert.ok(running.platform.roles.includes('gateway:gateway'))
  })

  it('with a queue that there is not lists those that there are', async () => {
    await assert.rejects(
      testPlatform({ env: { QUEUE_TYPE: 'rabbit' } }),
      /QUEUE_TYPE is 'rabbit': expected one of postgres, memory/,
    )
  })

  it('of a module that there is not lists those that there are', async () => {
    await assert.rejects(testPlatform({ only: 'pipline' }), /'pipline'.*pipeline:processor, pipeline:ingest, .*gateway/)
  })

  it('warns of what is misspelt, and of brokers that nobody asked for', async () => {
    const env = { QUEUE_TYP: 'memory', KAFKA_BROKERS: 'localhost:9092' }
    await using running = await testPlatform({ env })
    assert.deepEqual(running.platform.warnings, [
      'QUEUE_TYP is set and read by nobody: is QUEUE_TYPE meant?',
      'KAFKA_BROKERS is set and chooses nothing: QUEUE_TYPE is postgres',
    ])
  })

  it('of two processes at once on an empty database succeeds for both', async () => {
    await using database = await testDatabase()
    const env = { DATABASE_URL: database.url }
    const [one, other] = await Promise.all([testPlatform({ env }), testPlatform({ env })])
    await Promise.all([one[Symbol.asyncDispose](), other[Symbol.asyncDispose]()])
  })
})
