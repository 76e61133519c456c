import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('fixtures/program.mjs', import.meta.url))
const oldNode = new URL('fixtures/old-node.mjs', import.meta.url).href
const headrace = fileURLToPath(new URL('../bin', import.meta.url))

function underOldNode(script: string, ...args: string[]): ChildProcess & { output: () => string } {
  const env = { ...process.env, NODE_OPTIONS: `--import ${oldNode}`, PRETEND_NODE: '20.20.2' }
  const child = spawn(process.execPath, [script, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  child.stdout.on('data', (chunk) => (text += chunk))
  child.stderr.on('data', (chunk) => (text += chunk))
  return Object.assign(child, { output: () => text })
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!condition()) {
    assert.ok(Date.now() < deadline, `not seen within 10 s: ${what}`)
    await delay(10)
  }
}

function isAlive(pid: number): boolean {
  // A killed process that nobody has reaped yet is no longer running.
  return existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

describe('the launcher under an old Node', () => {
  it('begins again under the installed Node 24, with the same arguments and exit code', async () => {
    const child = underOldNode(program, 'run', '--only', 'a b')
    const [code] = await once(child, 'close')
    const { pid, arguments: args } = JSON.parse(child.output())
    assert.equal(code, 3)
    assert.deepEqual(args, ['run', '--only', 'a b'])
    assert.notEqual(pid, child.pid)
  })

  it('passes signals on and waits for what they lead to', async () => {
    const child = underOldNode(program, 'wait')
    await until('the program says its pid', () => child.output().includes('pid'))
    child.kill('SIGTERM')
    const [code] = await once(child, 'close')
    assert.equal(code, 7)
  })

  it('takes the program with it when it is killed', {
    skip: !existsSync('/usr/bin/setpriv') && 'no setpriv here',
  }, async () => {
    const child = underOldNode(program, 'wait')
    await until('the program says its pid', () => child.output().includes('pid'))
    const { pid } = JSON.parse(child.output())
    child.kill('SIGKILL')
    await until(`process ${pid} is gone`, () => !isAlive(pid))
  })

  it('says in one line what is missing where no Node 24 is installed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'headrace-launcher-'))
    try {
      mkdirSync(join(folder, 'apps/platform'), { recursive: true })
      cpSync(headrace, join(folder, 'apps/platform/bin'), { recursive: true })
      const child = underOldNode(join(folder, 'apps/platform/bin/headrace.mjs'))
      const [code] = await once(child, 'close')
      assert.equal(code, 1)
      assert.equal(child.output().trimEnd().split('\n').length, 1)
      assert.match(child.output(), /needs Node 24 or newer \(this is 20\.20\.2\).*npm ci/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('the program called by its name', () => {
  for (const pretended of ['20.20.2', undefined]) {
    it(`gets --env-file itself, not Node (${pretended ?? 'this one'})`, async () => {
      const env = { ...process.env, NODE_OPTIONS: `--import ${oldNode}`, ...(pretended && { PRETEND_NODE: pretended }) }
      const child = spawn(join(headrace, 'headrace.mjs'), ['queues', '--env-file', 'missing.env'], { env })
      let text = ''
      child.stderr.on('data', (chunk) => (text += chunk))
      const [code] = await once(child, 'close')
      assert.equal(code, 2, text)
      assert.match(text, /^headrace: the env file 'missing\.env' cannot be read/)
    })
  }
})
