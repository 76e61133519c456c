import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { testDatabase } from '@headrace/database/testing'
import { type Variables, Workplace } from './fixtures/headrace.ts'

interface Finding {
  readonly about: string
  readonly state: 'ok' | 'note' | 'broken'
  readonly text: string
  readonly fix?: string
}

async function doctor(
  place: Workplace,
  env: Variables = {},
): Promise<{ readonly code: number | null; readonly findings: readonly Finding[] }> {
  const { code, stdout, stderr } = await place.run(['doctor', '--json'], env)
  assert.ok(stdout.startsWith('['), stderr)
  return { code, findings: JSON.parse(stdout) as readonly Finding[] }
}

function about(findings: readonly Finding[], what: string): readonly Finding[] {
  return findings.filter((finding) => finding.about === what)
}

describe('headrace doctor', () => {
  it('finds nothing wrong on a fresh machine, and leaves nothing behind', async () => {
    await using place = await Workplace.make()
    const { code, findings } = await doctor(place)
    assert.deepEqual(
      findings.filter(({ state }) => state === 'broken'),
      [],
    )
    assert.equal(code, 0)
    assert.match(about(findings, 'database')[0]?.text ?? '', /the embedded PostgreSQL works on this machine/)
    assert.match(about(findings, 'program')[0]?.text ?? '', /on Node 24\./)
    await assert.rejects(stat(join(place.path, '.headrace')), { code: 'ENOENT' })
  })

  it('names the env file, where each value comes from, slips, and addresses that choose nothing; never a secret', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    await writeFile(
      join(place.path, '.env'),
      `INTERNAL_TOKEN=geheim-geheim\nKAFKA_BROKERS=k:9092\nHEADRACE_DAT=x\nLOG_LEVEL=warn\n`,
    )
    const away = { QUEUE_TYPE: 'nats', NATS_URL: 'nats://127.0.0.1:9', REDIS_URL: 'redis://:geheim@127.0.0.1:9' }
    const { code, findings } = await doctor(place, { DATABASE_URL: database.url, LOG_LEVEL: 'error', ...away })
    assert.equal(code, 0)
    assert.equal(about(findings, 'env file')[0]?.text, '.env')
    // It would start without them, and use them once they are there.
    const remote = ['nats', 'redis'].map((part) => about(findings, part)[0]?.state)
    assert.deepEqual(remote, ['note', 'note'], JSON.stringify(findings))
    const texts = about(findings, 'settings')
      .map(({ text }) => text)
      .join('\n')
    assert.match(texts, /INTERNAL_TOKEN=\*\*\* \(\.env\)/)
    assert.match(texts, /LOG_LEVEL=error \(environment\)/)
    assert.match(texts, /HEADRACE_DAT is set and read by nobody: is HEADRACE_DATA meant\?/)
    assert.match(texts, /KAFKA_BROKERS is set and chooses nothing/)
    assert.doesNotMatch(JSON.stringify(findings), new RegExp(`geheim|${new URL(database.url).password}`))
    assert.match(about(findings, 'database')[0]?.text ?? '', /^PostgreSQL at .*, PostgreSQL \d+/)
    assert.match(about(findings, 'schema')[0]?.text ?? '', /lacks database\/001/)
  })

  it('says what signs tokens will not do, without showing it, and who needs one', async () => {
    await using place = await Workplace.make()
    const tokens = async (env: Variables) => about((await doctor(place, env)).findings, 'tokens')[0]
    assert.deepEqual((await tokens({}))?.state, 'ok')
    assert.match((await tokens({ HOST: '0.0.0.0' }))?.text ?? '', /^JWT_SECRET is not set/)
    const short = await tokens({ JWT_SECRET: 'geheim-geheim' })
    assert.match(short?.text ?? '', /^JWT_SECRET has 13 bytes/)
    const strong = { HOST: '0.0.0.0', JWT_SECRET: 'geheim-geheim-geheim-geheim-geheim' }
    assert.deepEqual([(await tokens(strong))?.state, (await tokens(strong))?.text.startsWith('needed')], ['ok', true])
    assert.doesNotMatch(JSON.stringify([short, await tokens(strong)]), /geheim/)
  })

  it('says of all that is malformed what is valid, and ends with 1', async () => {
    await using place = await Workplace.make()
    const { code, findings } = await doctor(place, { API_PORT: 'x', QUEUE_TYPE: 'y' })
    assert.equal(code, 1)
    const broken = findings.filter(({ state }) => state === 'broken').map(({ text }) => text)
    assert.equal(broken.length, 2)
    assert.ok(
      broken.some((text) => /^API_PORT is 'x': expected a port/.test(text)),
      broken.join(),
    )
    assert.ok(
      broken.some((text) => /^QUEUE_TYPE is 'y': expected one of postgres/.test(text)),
      broken.join(),
    )
  })

  it('tells who has a port and which variable changes it, and which files are missing', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const address = server.address()
      assert.ok(address !== null && typeof address === 'object')
      const files = { QUEUE_TYPE: 'kafka', KAFKA_TLS_CA: '/nowhere.pem', PROCESSOR_FUNCTION: '/nowhere.mjs' }
      const env = { DATABASE_URL: database.url, API_PORT: String(address.port), ...files }
      const { code, findings } = await doctor(place, env)
      const [found] = about(findings, `port ${address.port}`)
      assert.equal(code, 1)
      assert.equal(found?.state, 'broken')
      if (process.platform === 'linux') assert.match(found?.text ?? '', new RegExp(`taken by process ${process.pid} `))
      assert.match(found?.fix ?? '', /API_PORT/)
      for (const [part, path] of [
        ['kafka', '/nowhere.pem'],
        ['function', '/nowhere.mjs'],
      ] as const) {
        const [finding] = about(findings, part)
        assert.equal(finding?.state, 'broken', part)
        assert.ok(finding.text.includes(path), finding.text)
      }
    } finally {
      server.close()
    }
  })

  it('knows the Headrace that runs here by its ports and its process', async () => {
    await using place = await Workplace.make()
    const running = place.start(['run'])
    const url = await running.url('gateway')
    const { code, findings } = await doctor(place, { API_PORT: new URL(url).port })
    assert.equal(code, 0)
    assert.match(about(findings, `port ${new URL(url).port}`)[0]?.text ?? '', /served by the Headrace that runs here/)
    assert.match(about(findings, 'running')[0]?.text ?? '', new RegExp(`process ${running.pid} `))
  })

  it('tells a database that is away, and a data directory of another version', async () => {
    await using place = await Workplace.make()
    const away = await doctor(place, { DATABASE_URL: 'postgres://joe:geheim@127.0.0.1:9/none' })
    assert.equal(away.code, 1)
    assert.equal(about(away.findings, 'database')[0]?.state, 'broken')
    assert.doesNotMatch(JSON.stringify(away.findings), /geheim/)
    const cluster = join(place.path, '.headrace/postgres')
    await mkdir(cluster, { recursive: true })
    await writeFile(join(cluster, 'PG_VERSION'), '99\n')
    const other = await doctor(place)
    assert.equal(other.code, 1)
    assert.match(about(other.findings, 'database')[0]?.text ?? '', /made by PostgreSQL 99/)
  })
})
