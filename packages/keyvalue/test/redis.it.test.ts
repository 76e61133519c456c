import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { inspect, promisify } from 'node:util'
import { untilTrue } from '@headrace/database/testing'
import { hasCode } from '@headrace/runtime'
import { freePort, startRedis, type TestService, testRedis } from '../../../tools/services/testing.ts'
import { type RedisOptions, redisAddress, redisHostAndPort, redisKeyValue, redisPubSub } from '../src/index.ts'
import { type KeyValueFixture, keyValuePromises, type PubSubFixture, pubSubPromises } from '../src/suite/index.ts'

const hour = { ttlMs: 3_600_000 }

/** Generous: on a busy machine an answer may take long. */
const patient = { timeoutMs: 10_000, onError: () => {} }

function at(hostAndPort: string, options: Partial<RedisOptions> = {}): RedisOptions {
  return { ...patient, address: redisHostAndPort(hostAndPort), ...options }
}

describe('redisKeyValue keeps what every driver promises:', () => {
  const redis = testRedis()
  for (const promise of keyValuePromises) {
    it(promise.name, () => promise.prove(async () => keyValueFixture(await redis)))
  }
})

describe('redisPubSub keeps what every driver promises:', () => {
  const redis = testRedis()
  for (const promise of pubSubPromises) {
    it(promise.name, () => promise.prove(async () => pubSubFixture(await redis)))
  }
})

describe('the Redis drivers over a server that fails', () => {
  let server: TestService

  before(async () => {
    server = await startRedis()
  })

  after(() => server[Symbol.asyncDispose]())

  for (const [name, fail] of [
    ['stopped', () => server.stop()],
    ['killed', () => server.kill()],
  ] as const) {
    it(`say so while it is ${name}, and go on by themselves when it is back`, async () => {
      const errors: unknown[] = []
      await using store = redisKeyValue(at(server.address, { timeoutMs: 500, onError: (error) => errors.push(error) }))
      await untilTrue('the store answers', () => answers(store.set('key', 'value', hour)))
      const told = errors.length
      await fail()
      for (let call = 0; call < 5; call += 1) await assert.rejects(store.get('key'), unavailable)
      await assert.rejects(store.probe(), unavailable)
      await server.start()
      await untilTrue('the store answers again', () => answers(store.probe()))
      await store.set('key', 'value', hour)
      assert.equal(await store.get('key'), 'value')
      assert.equal(errors.length - told, 1, 'an outage is told once')
    })
  }

  it('give a call up at its deadline while it is held still, and read nothing wrong afterwards', async () => {
    await using store = redisKeyValue(at(server.address, { timeoutMs: 500 }))
    await untilTrue('the store answers', () => answers(store.set('held', 'value', hour)))
    server.pause()
    try {
      const began = performance.now()
      await Promise.all([1, 2, 3].map(() => assert.rejects(store.get('held'), unavailable)))
      assert.ok(performance.now() - began < 5_000, 'a call has a deadline')
    } finally {
      server.resume()
    }
    await untilTrue('the store answers again', () => answers(store.probe()))
    assert.equal(await store.get('held'), 'value')
  })

  it('a call that failed is not done later by a server that comes back', async () => {
    await using store = redisKeyValue(at(server.address, { timeoutMs: 300 }))
    await untilTrue('the store answers', () => answers(store.probe()))
    await server.stop()
    await assert.rejects(store.set('late', 'value', hour), unavailable)
    await server.start()
    await untilTrue('the store answers again', () => answers(store.probe()))
    assert.equal(await store.get('late'), undefined)
  })

  it('a subscription hears nothing of another database of the server', async () => {
    const inDatabase = (db: number) =>
      redisPubSub(at(server.address, { address: { ...redisHostAndPort(server.address), db } }))
    await using here = inDatabase(1)
    await using other = inDatabase(2)
    await using same = inDatabase(1)
    const heard: string[] = []
    same.subscribe('hints', (payload) => heard.push(payload))
    await untilTrue('a message of the same database arrives', () => {
      other.publish('hints', 'of another')
      here.publish('hints', 'of the same')
      return heard.includes('of the same')
    })
    assert.equal(heard.includes('of another'), false)
  })

  it('a subscription hears again after the server was away, and its own process all the time', async () => {
    await using here = redisPubSub(at(server.address))
    await using there = redisPubSub(at(server.address))
    const heard: string[] = []
    const own: string[] = []
    there.subscribe('hints', (payload) => heard.push(payload))
    here.subscribe('hints', (payload) => own.push(payload))
    await untilTrue('a message arrives', () => {
      here.publish('hints', 'before')
      return heard.includes('before')
    })
    await server.kill()
    own.length = 0
    here.publish('hints', 'meanwhile')
    await untilTrue('this process hears itself', () => own.length === 1)
    await server.start()
    await untilTrue('a message arrives again', () => {
      here.publish('hints', 'after')
      return heard.includes('after')
    })
    assert.equal(heard.includes('meanwhile'), false)
  })
})

describe('the Redis drivers at a server with a password', () => {
  const password = 'open-sesame-4711'
  let server: TestService

  before(async () => {
    server = await startRedis({ settings: `requirepass ${password}\nuser worker on >${password} ~* &* +@all\n` })
  })

  after(() => server[Symbol.asyncDispose]())

  it('sign in with the password, as a user, and in the database that the address names', async () => {
    const host = server.address
    for (const url of [`redis://:${password}@${host}`, `redis://worker:${password}@${host}/3`]) {
      await using store = redisKeyValue({ ...patient, address: redisAddress(url) })
      assert.equal(await store.setIfAbsent('db', 'value', hour), true)
      assert.equal(await store.get('db'), 'value')
    }
  })

  it('never tell the password or a value when they are refused', async () => {
    const told: unknown[] = []
    const onError = (error: unknown) => told.push(error)
    const address = { ...redisHostAndPort(server.address), user: 'worker', password: 'wrong-secret' }
    await using store = redisKeyValue({ address, timeoutMs: 500, onError })
    await using pubsub = redisPubSub({ address, timeoutMs: 500, onError })
    const refused = await store.set('key', 'secret-value', hour).catch((error: unknown) => error)
    await assert.rejects(pubsub.probe(), unavailable)
    assert.ok(unavailable(refused), inspect(refused))
    const text = inspect([refused, told], { depth: 10, showHidden: true })
    assert.doesNotMatch(text, /wrong-secret|secret-value/)
    assert.match(text, /WRONGPASS/)
  })
})

it('an encrypted connection is made only to a server whose certificate is trusted', async () => {
  await using certificate = await selfSigned()
  const tlsPort = await freePort()
  const files = `tls-cert-file ${certificate.path}/cert\ntls-key-file ${certificate.path}/key\ntls-ca-cert-file ${certificate.path}/cert\n`
  await using _server = await startRedis({ settings: `tls-port ${tlsPort}\ntls-auth-clients no\n${files}` })
  const address = redisAddress(`rediss://127.0.0.1:${tlsPort}`)
  await using stranger = redisKeyValue({ address, timeoutMs: 1_000, onError: () => {} })
  await assert.rejects(stranger.probe(), unavailable)
  setDefaultCACertificates([...getCACertificates('default'), await readFile(`${certificate.path}/cert`, 'utf8')])
  await using store = redisKeyValue({ address, ...patient })
  await store.set('encrypted', 'value', hour)
  assert.equal(await store.get('encrypted'), 'value')
})

/** A certificate for this machine's loopback, in a directory of its own. */
async function selfSigned() {
  const path = await mkdtemp(join(tmpdir(), 'headrace-tls-'))
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', `${path}/key`, '-out', `${path}/cert`]
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    ...files,
    ...subject,
  ])
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

async function keyValueFixture(hostAndPort: string): Promise<KeyValueFixture> {
  const [store, twin] = [redisKeyValue(at(hostAndPort)), redisKeyValue(at(hostAndPort))]
  // Port 1 of the loopback: nobody listens there.
  const unreachable = redisKeyValue(at('127.0.0.1:1', { timeoutMs: 100 }))
  const all = [store, twin, unreachable]
  return { store, twin, unreachable, [Symbol.asyncDispose]: () => stopAll(all) }
}

async function pubSubFixture(hostAndPort: string): Promise<PubSubFixture> {
  const errors: unknown[] = []
  const options = { ...at(hostAndPort), onListenerError: (error: unknown) => errors.push(error) }
  const [here, there] = [redisPubSub(options), redisPubSub(options)]
  // A message before the connections are there is lost, which is nobody's failure.
  await Promise.all([here.probe(), there.probe()])
  return { here, there, errors, [Symbol.asyncDispose]: () => stopAll([here, there]) }
}

async function stopAll(all: readonly { stop(): Promise<void> }[]): Promise<void> {
  await Promise.all(all.map((each) => each.stop()))
}

function unavailable(error: unknown): boolean {
  return hasCode(error, 'KEYVALUE_UNAVAILABLE')
}

function answers(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => true,
    () => false,
  )
}
