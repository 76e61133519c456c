import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Ended, Workplace } from './fixtures/headrace.ts'

const commands = [
  [],
  ['run'],
  ['status'],
  ['queues'],
  ['parked'],
  ['parked', 'list'],
  ['parked', 'show'],
  ['parked', 'redrive'],
  ['parked', 'drop'],
  ['sql'],
  ['migrate'],
  ['doctor'],
  ['openapi'],
]

function assertRefused(ended: Ended, wanted: readonly (string | RegExp)[]): void {
  assert.equal(ended.code, 2, ended.stderr)
  assert.equal(ended.stdout, '')
  for (const part of wanted)
    assert.match(ended.stderr, typeof part === 'string' ? new RegExp(RegExp.escape(part)) : part)
  assert.doesNotMatch(ended.stderr, /\n\s+at /, 'a stack is shown')
}

describe('the command line', () => {
  it('explains every command with an example and the exit codes', async () => {
    await using place = await Workplace.make()
    const helps = await Promise.all(commands.map((words) => place.run([...words, '--help'])))
    for (const [index, { code, stdout, stderr }] of helps.entries()) {
      const name = ['headrace', ...(commands[index] ?? [])].join(' ')
      assert.equal(code, 0, stderr)
      assert.match(stdout, new RegExp(`^Usage: ${name.split(' ').at(-1)}|^Usage: ${name}`))
      assert.match(stdout, /Examples:\n {2}\S/)
      assert.match(stdout, /Exit codes: 0 .*1 .*2 /)
    }
  })

  it('says its version', async () => {
    await using place = await Workplace.make()
    assert.match((await place.run(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/)
  })

  const mistakes: readonly { readonly args: readonly string[]; readonly told: readonly (string | RegExp)[] }[] = [
    { args: [], told: [/command is missing/, 'run, status, queues'] },
    { args: ['rnu'], told: ["'rnu'", 'run, status, queues, audit, parked, sql, migrate, doctor, openapi'] },
    { args: ['parked', 'lst'], told: ["'lst'", 'list, show, redrive, drop'] },
    { args: ['run', '--olny', 'x'], told: ["'--olny'", '--only', '--no-migrate', '--env-file'] },
    { args: ['run', 'gateway'], told: ['gateway', 'run --help'] },
    { args: ['run', '--only'], told: ['--only'] },
    {
      args: ['run', '--only', 'gatway'],
      told: ["'gatway'", 'gateway:gateway', 'pipeline:ingest', 'pipeline:processor'],
    },
    { args: ['sql'], told: ['statement', 'sql --help'] },
    { args: ['parked', 'list', '--limit', '1001'], told: ["--limit is '1001'", 'from 1 to 1000'] },
    { args: ['parked', 'show', 'x1'], told: ["'x1'", 'a whole number'] },
    { args: ['parked', 'drop'], told: ['an id or --all'] },
    { args: ['parked', 'redrive', '3', '--all'], told: ['not both'] },
    { args: ['parked', 'redrive', '3', '--topic', 'x'], told: ['--group and --topic go with --all'] },
    { args: ['status', '--url', 'localhost:80'], told: ["'localhost:80'", 'http://'] },
  ]
  for (const { args, told } of mistakes) {
    it(`refuses \`headrace ${args.join(' ')}\` in a line that names what is wrong and what is valid`, async () => {
      await using place = await Workplace.make()
      const ended = await place.run(args)
      assertRefused(ended, told)
    })
  }
})

describe('settings', () => {
  it('that are malformed stop the start, all named at once with what is valid', async () => {
    await using place = await Workplace.make()
    const ended = await place.run(['run'], { API_PORT: '80800', QUEUE_TYPE: 'rabbit', LOG_LEVEL: 'loud' })
    assertRefused(ended, [
      "API_PORT is '80800': expected a port",
      "QUEUE_TYPE is 'rabbit': expected one of postgres, memory",
      "LOG_LEVEL is 'loud'",
      'INVALID_SETTING',
    ])
  })

  it('show no secret when they are malformed', async () => {
    await using place = await Workplace.make()
    const ended = await place.run(['run'], { DATABASE_URL: 'mysql://joe:geheim@db/x' })
    assertRefused(ended, ['DATABASE_URL'])
    assert.doesNotMatch(ended.stderr, /geheim/)
  })

  it('name the valid fault points', async () => {
    await using place = await Workplace.make()
    const ended = await place.run(['run'], { HEADRACE_FAULTS: 'gather.before=kill' })
    assertRefused(ended, ["HEADRACE_FAULTS: 'gather.before=kill'", 'gather.before-commit'])
  })

  it('are read from ./.env, in its place from the file that is named, and the real environment wins', async () => {
    await using place = await Workplace.make()
    const write = (name: string, value: string) =>
      writeFile(join(place.path, name), `QUEUE_TYPE = "${value}" # kind\r\n`)
    await Promise.all([write('.env', 'from-dot-env'), write('a.env', 'from-a'), write('b.env', 'from-b')])
    assertRefused(await place.run(['run']), ["'from-dot-env'"])
    assertRefused(await place.run(['run'], { HEADRACE_ENV_FILE: 'b.env' }), ["'from-b'"])
    assertRefused(await place.run(['run', '--env-file', 'a.env'], { HEADRACE_ENV_FILE: 'b.env' }), ["'from-a'"])
    assertRefused(await place.run(['run', '--env-file', 'a.env'], { QUEUE_TYPE: 'real' }), ["'real'"])
  })

  it('in a named file that is missing or malformed stop the command with the file and the line', async () => {
    await using place = await Workplace.make()
    await writeFile(join(place.path, 'broken.env'), 'API_PORT=0\nthis is no setting\n')
    assertRefused(await place.run(['queues'], { HEADRACE_ENV_FILE: 'missing.env' }), ['missing.env'])
    assertRefused(await place.run(['queues'], { HEADRACE_ENV_FILE: 'broken.env' }), ['broken.env, line 2'])
    assertRefused(await place.run(['queues', '--env-file', 'missing.env']), ["the env file 'missing.env'"])
  })
})
