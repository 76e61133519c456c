import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  boolean,
  bytes,
  defineSettings,
  durationMs,
  hasCode,
  integer,
  list,
  oneOf,
  port,
  portOrOff,
  readSettings,
  renderEnvExample,
  secret,
  secretValues,
  text,
  url,
} from '../src/index.ts'

const schema = defineSettings({
  API_PORT: port({ default: 8080, doc: 'The public port.' }),
  INGEST_PORT: portOrOff({ default: 8081, doc: 'The port of ingest.' }),
  QUEUE_TYPE: oneOf(['postgres', 'memory'], { default: 'postgres', doc: 'The carrier.' }),
  WORKERS: integer({ default: 4, min: 1, max: 64, doc: 'Messages at a time.' }),
  TTL_MS: durationMs({ default: 500, min: 1, doc: 'How long.' }),
  LIMIT_BYTES: bytes({ default: 1048576, doc: 'How much.' }),
  AUTH: boolean({ doc: 'Whether tokens are needed.' }),
  PROVIDERS: list({ of: ['nats', 'kafka'], doc: 'The providers.' }),
  PEER_URL: url({ doc: 'The other process.' }),
  DATABASE_URL: text({ doc: 'The database.', secret: true, aliases: ['POSTGRES_DSN'] }),
  TOKEN: secret({ doc: 'The token.' }),
  NAME: text({ default: 'a b', doc: 'The name.' }),
})

function problemsOf(env: Record<string, string>): string {
  try {
    readSettings(schema, env)
  } catch (error) {
    assert.ok(hasCode(error, 'INVALID_SETTING'))
    return error.message
  }
  return ''
}

describe('readSettings', () => {
  it('an unset or empty variable has its default, or undefined when there is none', () => {
    const settings = readSettings(schema, { QUEUE_TYPE: '', TTL_MS: '  ' })
    assert.equal(settings.API_PORT, 8080)
    assert.equal(settings.QUEUE_TYPE, 'postgres')
    assert.equal(settings.TTL_MS, 500)
    assert.equal(settings.AUTH, undefined)
    assert.equal(settings.DATABASE_URL, undefined)
  })

  it('reads each type of value', () => {
    const settings = readSettings(schema, {
      API_PORT: '0',
      INGEST_PORT: 'off',
      QUEUE_TYPE: ' memory ',
      WORKERS: '8',
      TTL_MS: '24h',
      LIMIT_BYTES: '900KiB',
      AUTH: '1',
      PROVIDERS: 'nats, kafka',
      PEER_URL: 'http://localhost:8082',
    })
    assert.deepEqual(
      { ...settings },
      {
        API_PORT: 0,
        INGEST_PORT: 'off',
        QUEUE_TYPE: 'memory',
        WORKERS: 8,
        TTL_MS: 86_400_000,
        LIMIT_BYTES: 921_600,
        AUTH: true,
        PROVIDERS: ['nats', 'kafka'],
        PEER_URL: 'http://localhost:8082',
        DATABASE_URL: undefined,
        TOKEN: undefined,
        NAME: 'a b',
      },
    )
  })

  it('names every malformed variable, its value and the valid values in one message', () => {
    const problems = problemsOf({ QUEUE_TYPE: 'rabbit', WORKERS: '0', API_PORT: '70000', AUTH: 'yes' }).split('\n')
    assert.deepEqual(problems, [
      "API_PORT is '70000': expected a port from 0 to 65535 (0 = any free one)",
      "QUEUE_TYPE is 'rabbit': expected one of postgres, memory",
      "WORKERS is '0': expected a whole number from 1 to 64",
      "AUTH is 'yes': expected true or false",
    ])
  })

  for (const [name, values] of Object.entries({
    API_PORT: ['8080x', '-1', '1e3', '80.5', '0x50', 'off'],
    WORKERS: ['65', '4.0', 'four', '99999999999999999999'],
    TTL_MS: ['0', '-5', '5 weeks', '1.5s', '99999999999999999d'],
    LIMIT_BYTES: ['1MB', 'many', '1 constructor'],
    PROVIDERS: ['nats,nats', ',', 'nats,rabbit'],
    PEER_URL: ['localhost:8082', 'ftp://x', 'http://'],
    AUTH: ['constructor', 'toString'],
  })) {
    it(`refuses ${name} of ${values.join(' | ')}`, () => {
      for (const value of values) assert.match(problemsOf({ [name]: value }), new RegExp(`^${name} is `), value)
    })
  }

  it('an alias is read when the name itself is unset, and is the one named in a problem', () => {
    assert.equal(readSettings(schema, { POSTGRES_DSN: 'postgres://a/b' }).DATABASE_URL, 'postgres://a/b')
    assert.equal(readSettings(schema, { POSTGRES_DSN: 'x', DATABASE_URL: 'y' }).DATABASE_URL, 'y')
    const aliased = defineSettings({ PORT: port({ doc: 'a port', aliases: ['LISTEN'] }) })
    assert.throws(() => readSettings(aliased, { LISTEN: 'x' }), /^PlatformError: LISTEN is 'x'/)
  })

  it('a problem never shows a secret, nor the password in a URL', () => {
    const secrets = defineSettings({
      KEY: integer({ doc: 'a number', secret: true }),
      PEER: url({ doc: 'a peer' }),
    })
    assert.throws(
      () => readSettings(secrets, { KEY: 'hunter2', PEER: 'amqp://me:hunter2@host/x' }),
      (error: Error) => !error.message.includes('hunter2') && error.message.includes('amqp://me:***@host/x'),
    )
  })

  it('a required variable that is unset is a problem', () => {
    const needed = defineSettings({ KEY: text({ doc: 'a key', required: true }) })
    assert.throws(() => readSettings(needed, {}), /KEY is not set: expected a text/)
    assert.equal(readSettings(needed, { KEY: 'x' }).KEY.length, 1)
  })

  it('a name that is defined twice is refused', () => {
    assert.throws(() => defineSettings({ A: text({ doc: 'a' }), B: text({ doc: 'b', aliases: ['A'] }) }), RangeError)
  })

  it('the types of values follow from the options', () => {
    const settings = readSettings(schema, {})
    const apiPort: number = settings.API_PORT
    const queue: 'postgres' | 'memory' = settings.QUEUE_TYPE
    // @ts-expect-error without a default a value may be missing
    const auth: boolean = settings.AUTH
    assert.deepEqual([apiPort, queue, auth], [8080, 'postgres', undefined])
  })

  it('secretValues lists the secrets that are set', () => {
    const settings = readSettings(schema, { TOKEN: 'abc123', DATABASE_URL: 'postgres://x', NAME: 'n' })
    assert.deepEqual(secretValues(schema, settings), ['postgres://x', 'abc123'])
  })
})

describe('renderEnvExample', () => {
  it('names every variable with its doc and default, and reads back as the defaults', async () => {
    const { parseEnvFile } = await import('../src/index.ts')
    const rendered = renderEnvExample(schema)
    for (const name of Object.keys(schema)) assert.match(rendered, new RegExp(`^(# )?${name}=`, 'm'))
    assert.match(rendered, /# The public port\.\n# Expected: a port .*\nAPI_PORT=8080\n/)
    assert.deepEqual(readSettings(schema, parseEnvFile(rendered, '.env.example')), readSettings(schema, {}))
  })
})
