import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const runner = fileURLToPath(new URL('../../tools/test.mjs', import.meta.url))
const fixture = fileURLToPath(new URL('fixtures/runner', import.meta.url))

interface Run {
  readonly code: number
  readonly output: string
  readonly lastLine: string
}

function run(...args: string[]): Promise<Run> {
  return runWith({}, ...args)
}

function runWith(variables: NodeJS.ProcessEnv, ...args: string[]): Promise<Run> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...variables }
    const child = execFile(process.execPath, [runner, '--root', fixture, ...args], { env }, (_, stdout, stderr) => {
      const output = stdout + stderr
      resolve({ code: child.exitCode ?? -1, output, lastLine: stdout.trimEnd().split('\n').at(-1) ?? '' })
    })
  })
}

describe('the test runner', () => {
  it('counts tests, fails the run and closes with the line that CI reads', async () => {
    const { code, output, lastLine } = await run('packages/sample/test/mixed', '--seed', '42')
    assert.equal(lastLine, '2 passed, 3 failed, 1 skipped')
    assert.equal(code, 1)
    assert.match(output, /one is not two/)
    assert.match(output, /the hook broke/)
    assert.match(output, /waits for a machine: no machine/)
    assert.match(
      output,
      /\nFailed:\n[\s\S]*one is not two[\s\S]*\n2 passed, 3 failed/,
      'once more at the end, where CI looks',
    )
  })

  it('passes the seed on to the files', async () => {
    const { output } = await run('packages/sample/test/mixed', '--seed', '42')
    assert.match(output, /^Node .* seed 42/)
    assert.match(output, /it printed:\s+seed 42/)
  })

  it('ends a file that hangs, names it and the test that was running', async () => {
    const { code, output, lastLine } = await run('apps/hang/hang', '--timeout', '2')
    assert.match(output, /apps\/hang\/hang\.test\.ts was ended after 2 s; still running: never ends/)
    assert.equal(lastLine, '0 passed, 1 failed')
    assert.equal(code, 1)
  })

  it('fails a file that something holds open after its tests', async () => {
    const { output, lastLine } = await run('apps/hang/held-open', '--timeout', '2')
    assert.match(output, /held-open\.test\.ts was ended after 2 s; its tests had ended/)
    assert.equal(lastLine, '1 passed, 1 failed')
  })

  it('fails a file that cannot be loaded, and one that holds no test', async () => {
    const { output, lastLine } = await run('packages/sample/test/broken', 'packages/sample/test/empty')
    assert.match(output, /broken\.test\.ts exited with code 1/)
    assert.match(output, /empty\.test\.ts holds no test/)
    assert.equal(lastLine, '0 passed, 2 failed')
  })

  it('starts the services whose addresses a file asks for, and takes those that it is given', async () => {
    const { lastLine } = await runWith({ HEADRACE_TEST_REDIS: '' }, 'test/redis.it', '--timeout', '2')
    assert.equal(lastLine, '1 passed, 0 failed')
    const given = await runWith({ HEADRACE_TEST_KAFKA: 'far:9092', JAVA_HOME: '/nowhere' }, 'test/kafka.it')
    assert.equal(given.lastLine, '1 passed, 0 failed')
  })

  it('leaves files out whose service does not start, and fails them on CI', async () => {
    const broken = { HEADRACE_TEST_KAFKA: '', KAFKA_HOME: '/nowhere', JAVA_HOME: '/nowhere' }
    const here = await runWith({ ...broken, CI: '' }, 'test/kafka.it')
    assert.equal(here.lastLine, '0 passed, 0 failed, 1 skipped')
    assert.match(here.output, /kafka did not start: /)
    const onCi = await runWith({ ...broken, CI: 'true' }, 'test/kafka.it')
    assert.equal(onCi.lastLine, '0 passed, 1 failed')
  })

  it('refuses filters that match nothing and options that it does not know', async () => {
    assert.equal((await run('no-such-file')).code, 1)
    const { code, output } = await run('--only', 'fast')
    assert.equal(code, 2)
    assert.match(output, /--only: 'fast' is none of unit, it, system/)
  })
})
