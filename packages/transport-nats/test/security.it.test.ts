import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { type NatsOptions, natsTransport } from '@headrace/transport-nats'
import { startNats } from '../../../tools/services/testing.ts'

const secret = 'p%41ss:w/rd'

/** Fails with the error that a connection with these options meets. */
async function probed(options: NatsOptions): Promise<void> {
  await using carrier = natsTransport(options)
  await carrier.probe(AbortSignal.timeout(20_000))
}

async function refusedWithoutSecret(options: NatsOptions): Promise<void> {
  const error = await probed(options).then(
    () => assert.fail('the server let us in'),
    (thrown: unknown) => thrown,
  )
  assert.ok(!inspect(error, { depth: 9 }).includes(secret), 'the error holds the secret')
}

describe('credentials and TLS', () => {
  it('user and password, also in the address, open the door; without them it stays shut, and no error holds a secret', async () => {
    await using server = await startNats({
      settings: `authorization { user: "me", password: ${JSON.stringify(secret)} }`,
    })
    const servers = [server.address]
    await probed({ servers, user: 'me', password: secret })
    await probed({ servers: [`nats://me:${encodeURIComponent(secret)}@${server.address}`] })
    await refusedWithoutSecret({ servers })
    await refusedWithoutSecret({ servers, user: 'you', password: secret })
    await refusedWithoutSecret({ servers: [`nats://you:${encodeURIComponent(secret)}@${server.address}`] })
  })

  it('a token opens the door', async () => {
    await using server = await startNats({ settings: `authorization { token: ${JSON.stringify(secret)} }` })
    await probed({ servers: [server.address], token: secret })
    await refusedWithoutSecret({ servers: [server.address], token: `${secret}!` })
  })

  it('a credentials file that is not there is said by its name', async () => {
    await assert.rejects(probed({ servers: ['127.0.0.1:1'], credentialsFile: '/nowhere/user.creds' }), /user\.creds/)
  })

  it('TLS with an authority of our own, and with a certificate of our own where the server asks for it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'headrace-tls-'))
    try {
      const file = (name: string) => join(directory, name)
      const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' })
      const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost'
      openssl(
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=test',
        '-addext',
        names,
        '-keyout',
        file('key.pem'),
        '-out',
        file('cert.pem'),
      )
      const tls = { caFile: file('cert.pem'), certFile: file('cert.pem'), keyFile: file('key.pem') }
      const settings = `tls { cert_file: "${tls.certFile}", key_file: "${tls.keyFile}", ca_file: "${tls.caFile}", verify: true }`
      await using server = await startNats({ settings })
      await probed({ servers: [`tls://${server.address}`], tls })
      await assert.rejects(probed({ servers: [server.address], tls: { caFile: tls.caFile } }), /no connection to NATS/)
      await assert.rejects(probed({ servers: [`tls://${server.address}`] }), /no connection to NATS/)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})
