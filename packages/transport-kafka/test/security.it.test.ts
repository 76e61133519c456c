import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { type KafkaSasl, type KafkaTransportOptions, kafkaTransport } from '@headrace/transport-kafka'
import { Admin, alterUserScramCredentialsV0 } from '@platformatic/kafka'
import { startKafka, type TestService } from '../../../tools/services/testing.ts'

const secret = 'p%41ss:w/rd'
const scramSecret = 'scr%41m:w/rd'
const login = (mechanism: KafkaSasl['mechanism'], password = secret): KafkaSasl => ({
  mechanism,
  username: mechanism === 'PLAIN' ? 'me' : 'scram-user',
  password,
})

/** A broker that talks only over TLS, and only with those who can log in. */
function guarded(pem: string, certificate: string): Promise<TestService> {
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required username="me" password="${secret}" user_me="${secret}";`
  return startKafka({
    properties: {
      'listener.security.protocol.map': 'CLIENT:SASL_SSL,CONTROLLER:PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
      'sasl.mechanism.inter.broker.protocol': 'PLAIN',
      'listener.name.client.plain.sasl.jaas.config': plain,
      'listener.name.client.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': pem,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': certificate,
    },
  })
}

/** Makes a key with a certificate that is its own authority. */
function makeCertificate(key: string, certificate: string): void {
  const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost'
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test', '-addext', names]
  execFileSync('openssl', [...made, '-keyout', key, '-out', certificate], { stdio: 'ignore' })
}

/** Makes the user that logs in with SCRAM; PLAIN's are in the broker's settings. */
async function makeScramUser(options: ConstructorParameters<typeof Admin>[0]): Promise<void> {
  const admin = new Admin(options)
  const [connection] = (await admin.connectToBrokers()).values()
  assert.ok(connection)
  const salt = randomBytes(16)
  const iterations = 4_096
  const saltedPassword = pbkdf2Sync(scramSecret, salt, iterations, 64, 'sha512')
  const upsertion = { name: 'scram-user', mechanism: 2, iterations, salt, saltedPassword }
  await alterUserScramCredentialsV0.api.async(connection, [], [upsertion])
  await admin.close()
}

describe('credentials and TLS', () => {
  let broker: TestService
  let directory: string
  let ca: Buffer
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'headrace-tls-'))
    const [pem, certificate] = [join(directory, 'both.pem'), join(directory, 'certificate.pem')]
    makeCertificate(pem, certificate)
    execFileSync('sh', ['-c', 'cat "$0" >> "$1"', certificate, pem])
    ca = await readFile(certificate)
    broker = await guarded(pem, certificate)
    await makeScramUser({
      clientId: 'test',
      bootstrapBrokers: [broker.address],
      tls: { ca },
      sasl: { ...login('PLAIN') },
    })
  })
  after(async () => {
    await broker[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })

  async function carries(options: Partial<KafkaTransportOptions>): Promise<void> {
    await using carrier = kafkaTransport({
      brokers: [broker.address],
      publishDeadlineMs: 5_000,
      requestTimeoutMs: 3_000,
      ...options,
    })
    await carrier.probe(AbortSignal.timeout(20_000))
    await carrier.publish('guarded', 0, [{ id: '1', key: 'k', type: 't', headers: {}, body: Buffer.from('x') }])
    for await (const batch of carrier.read(
      'guarded',
      0,
      { kind: 'beginning' },
      { signal: AbortSignal.timeout(20_000) },
    )) {
      assert.ok(batch.messages.length > 0)
      return
    }
    assert.fail('nothing was read')
  }

  async function refusedWithoutSecret(options: Partial<KafkaTransportOptions>): Promise<void> {
    const error = await carries(options).then(
      () => assert.fail('the broker let us in'),
      (thrown: unknown) => thrown,
    )
    assert.match(String(error), /Kafka does not serve/)
    const told = inspect(error, { depth: 9 })
    for (const password of [secret, scramSecret, `${secret}!`]) {
      assert.ok(!told.includes(password), `the error holds the secret: ${told}`)
    }
  }

  it('a user with PLAIN and one with SCRAM get in, over TLS with an authority of our own', async () => {
    await carries({ tls: { ca }, sasl: login('PLAIN') })
    await carries({ tls: { ca }, sasl: login('SCRAM-SHA-512', scramSecret) })
  })

  it('a wrong password, no login, or no trust in the certificate is said, and no error holds a secret', async () => {
    await refusedWithoutSecret({ tls: { ca }, sasl: login('PLAIN', `${secret}!`) })
    await refusedWithoutSecret({ tls: { ca }, sasl: login('SCRAM-SHA-512', `${secret}!`) })
    await refusedWithoutSecret({ tls: { ca } })
    await refusedWithoutSecret({ tls: {}, sasl: login('PLAIN') })
  })
})
