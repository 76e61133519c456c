import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../tools/services.ts', import.meta.url))

/** A directory of its own; what runs in it ends with the test. */
async function services() {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'headrace-services-')))
  const run = (...args: string[]) =>
    new Promise<{ code: number; output: string }>((resolve) => {
      const env = { ...process.env, NATS_URL: '', REDIS_URL: '' }
      const child = execFile(process.execPath, [program, ...args, '--dir', directory], { env }, (_, stdout, stderr) =>
        resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
      )
    })
  return {
    run,
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
