import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../tools/services.ts', import.meta.url))

/** A directory of its own; what runs in it ends with the test. Processes, unless the variables say otherwise. */
async function services(variables: NodeJS.ProcessEnv = { SERVICES_DOCKER: 'off' }) {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'headrace-services-')))
  const run = (...args: string[]) =>
    new Promise<{ code: number; output: string }>((resolve) => {
      const env = { ...process.env, KAFKA_BROKERS: '', NATS_URL: '', REDIS_URL: '', ...variables }
      const child = execFile(process.execPath, [program, ...args, '--dir', directory], { env }, (_, stdout, stderr) =>
        resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
      )
    })
  return {
    run,
    directory,
    async [Symbol.asyncDispose]() {
      await run('down')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const anyPorts = ['--port-nats', '0', '--port-redis', '0']
const pidsIn = (output: string) => [...output.matchAll(/runs as (\d+)/g)].map(([, pid]) => pid)

describe('tools/services', () => {
  it('brings up what is named, says where it is, and leaves alone what runs already', async () => {
    await using own = await services()
    const first = await own.run('up', 'nats', 'redis', ...anyPorts)
    assert.equal(first.code, 0, first.output)
    const before = await own.run('status', 'nats', 'redis')
    assert.equal(before.code, 0, before.output)
    assert.deepEqual(await own.run('up', 'nats', 'redis', ...anyPorts), first)
    assert.deepEqual(await own.run('status', 'nats', 'redis'), before)
    const { output } = await own.run('env')
    assert.match(output, /^export NATS_URL=nats:\/\/127\.0\.0\.1:\d+\nexport REDIS_URL=redis:\/\/127\.0\.0\.1:\d+\n$/)
  })

  it('starts what was killed again, with the same address', async () => {
    await using own = await services()
    const { output: up } = await own.run('up', 'nats', 'redis', ...anyPorts)
    const before = pidsIn((await own.run('status', 'nats', 'redis')).output)
    await own.run('kill', 'nats')
    const killed = await own.run('status', 'nats', 'redis')
    assert.equal(killed.code, 1)
    assert.match(killed.output, /nats-1 .* does not run/)
    assert.equal((await own.run('up', 'nats', 'redis', ...anyPorts)).output, up)
    const after = pidsIn((await own.run('status', 'nats', 'redis')).output)
    assert.notEqual(after[0], before[0])
    assert.equal(after[1], before[1])
  })

  it('names the port that is taken and the flag that changes it', async () => {
    await using own = await services()
    await using taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const address = taken.address()
    const port = typeof address === 'object' ? String(address?.port) : ''
    const { code, output } = await own.run('up', 'redis', '--port-redis', port)
    assert.equal(code, 1)
    assert.match(output, new RegExp(`port ${port} is taken; choose another with --port-redis`))
  })

  it('refuses names that it does not know', async () => {
    await using own = await services()
    const { code, output } = await own.run('up', 'rabbit')
    assert.equal(code, 1)
    assert.match(output, /'rabbit' is none of kafka, nats, redis/)
  })
})

/** Stands for Docker: notes its calls, and says of every container that it runs. */
async function fakeDocker() {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'headrace-docker-')))
  const calls = join(folder, 'calls')
  const script = `#!/bin/sh\necho "$*" >> ${calls}\n[ "$1" != inspect ] || echo running\n`
  await writeFile(join(folder, 'docker'), script, { mode: 0o755 })
  return {
    variables: { SERVICES_DOCKER: '', PATH: `${folder}:${process.env['PATH']}` },
    calls: async () => (await readFile(calls, 'utf8')).trimEnd().split('\n'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** Answers anybody, as what a container would publish. */
async function answering() {
  const server = createServer(
    (socket) =>
      void socket
        .on('error', () => {})
        .resume()
        .end('INFO'),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  return { port, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

describe('tools/services where a Docker engine answers', () => {
  it('runs pinned official images on loopback, and ends, kills and restarts them by name', async () => {
    await using docker = await fakeDocker()
    await using published = await answering()
    await using own = await services(docker.variables)
    const { port } = published
    const up = await own.run('up', 'nats', '--port-nats', String(port))
    assert.deepEqual(up, { code: 0, output: `nats  127.0.0.1:${port}\n` })
    const name = `headrace-nats-${port}`
    assert.equal((await own.run('status', 'nats')).output, `${name}  127.0.0.1:${port}  running  docker logs ${name}\n`)
    assert.equal((await own.run('env', 'nats')).output, `export NATS_URL=nats://127.0.0.1:${port}\n`)
    for (const command of ['restart', 'kill', 'down', 'up']) await own.run(command, 'nats')
    const labels = `--label headrace.directory=${own.directory} --label headrace.service=nats`
    const settings = `${own.directory}/nats-container.conf`
    const inspect = `inspect --format {{.State.Status}} ${name}`
    assert.deepEqual(await docker.calls(), [
      'info',
      `run --detach --name ${name} ${labels} --publish 127.0.0.1:${port}:${port} --volume ${settings}:/nats.conf:ro nats:2.15.2 -c /nats.conf`,
      inspect,
      `restart ${name}`,
      inspect,
      `kill ${name}`,
      `stop ${name}`,
      inspect,
      `start ${name}`,
    ])
  })

  it('tells Kafka to listen inside and to name loopback to its clients', async () => {
    await using docker = await fakeDocker()
    await using published = await answering()
    await using own = await services(docker.variables)
    const { port } = published
    const up = await own.run('up', 'kafka', '--port-kafka', String(port), '--port-kafka-second', '0')
    assert.equal(up.code, 0, up.output)
    const [, run = ''] = await docker.calls()
    assert.match(run, new RegExp(`--publish 127.0.0.1:${port}:${port} --publish 127.0.0.1:(\\d+):\\1 `))
    assert.match(run, new RegExp(`KAFKA_LISTENERS=CLIENT://0.0.0.0:${port},SECOND://0.0.0.0:\\d+,CONTROLLER://`))
    assert.match(run, new RegExp(`KAFKA_ADVERTISED_LISTENERS=CLIENT://127.0.0.1:${port},SECOND://127.0.0.1:`))
    assert.match(run, / apache\/kafka:4\.4\.0$/)
  })
})
