import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { testDatabase } from '@headrace/database/testing'
import { ingest, messageState, Workplace } from './fixtures/headrace.ts'

describe('headrace sql', () => {
  it('prints a table for people and JSON for programs', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const env = { DATABASE_URL: database.url }
    const statement = `select 1 as n, 'two' as t, null as nothing, '\\xff00'::bytea as b, '{"a":1}'::jsonb as j,
      timestamptz '2026-01-02 03:04:05.678+00' as at`
    const people = await place.run(['sql', statement], env)
    assert.equal(people.code, 0, people.stderr)
    assert.match(
      people.stdout,
      /^n +t +nothing +b +j +at\n1 +two +\\xff00 +\{"a":1\} +2026-01-02T03:04:05\.678Z\n\n1 row\n$/,
    )
    const json = await place.run(['sql', '--json', statement], env)
    assert.deepEqual(JSON.parse(json.stdout), [
      { n: 1, t: 'two', nothing: null, b: '\\xff00', j: { a: 1 }, at: '2026-01-02T03:04:05.678Z' },
    ])
  })

  it('writes nothing, however it is asked', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const env = { DATABASE_URL: database.url }
    assert.equal((await place.run(['migrate'], env)).code, 0)
    const attempts = [
      'insert into headrace.commit_marker (id) values (gen_random_uuid()::text)',
      'create table public.mine ()',
      'drop schema headrace cascade',
      'select 1; commit; create table public.mine ()',
      'set transaction read write',
      'commit',
      'with gone as (delete from headrace.migration returning *) select * from gone',
    ]
    for (const attempt of attempts) await place.run(['sql', attempt], env)
    const statement = `select (select count(*) from headrace.migration) > 0 as migrations, to_regclass('public.mine') as mine,
      (select count(*) from headrace.commit_marker) as markers`
    const { stdout } = await place.run(['sql', '--json', statement], env)
    assert.deepEqual(JSON.parse(stdout), [{ migrations: true, mine: null, markers: 0 }])
  })

  it('says clearly that it only reads', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const env = { DATABASE_URL: database.url }
    const write = await place.run(['sql', 'create table mine ()'], env)
    assert.equal(write.code, 1)
    assert.match(write.stderr, /^headrace: sql only reads: cannot execute CREATE TABLE in a read-only transaction/)
    const outside = await place.run(['sql', "copy (select 1) to program 'true'"], env)
    assert.equal(outside.code, 1)
    assert.match(outside.stderr, /permission denied to COPY to or from an external program \(SQLSTATE 42501\)/)
    const several = await place.run(['sql', 'select 1; select 2'], env)
    assert.equal(several.code, 1)
    assert.match(several.stderr, /one statement at a time/)
    const wrong = await place.run(['sql', 'selct 1'], env)
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /syntax error at or near "selct" \(SQLSTATE 42601\)/)
    assert.doesNotMatch(wrong.stderr, /\n\s+at /)
  })
})

describe('commands that need the database', () => {
  it('use the embedded one of the process that runs, and while none runs start it for themselves', async () => {
    await using place = await Workplace.make()
    const none = await place.run(['queues'])
    assert.equal(none.code, 1)
    assert.match(none.stderr, /there is no database in \.\/\.headrace yet: `headrace run` makes one/)

    const running = place.start(['run'])
    const url = await running.url('gateway')
    const { messageId } = await ingest(url, 'test', 'hello')
    await messageState(url, messageId, ['processed'])
    const queues: { group: string }[] = JSON.parse((await place.run(['queues', '--json'])).stdout)
    const during = Object.assign({}, ...queues.filter(({ group }) => group === 'processor-group'))
    assert.deepEqual(
      {
        group: during.group,
        topic: during.topic,
        head: during.head,
        lag: during.lag,
        dead: during.dead,
        members: during.members,
      },
      { group: 'processor-group', topic: 'diplom-messages', head: 1, lag: 0, dead: 0, members: 1 },
    )
    const status = await place.run(['status'])
    assert.equal(status.code, 0, status.stdout + status.stderr)
    assert.match(status.stdout, new RegExp(`process +${running.pid}, version`))
    assert.match(status.stdout, /ingest +healthy +received 1, accepted 1, failed 0/)
    assert.equal((await running.stop()).code, 0)

    const after = await place.run(['queues'])
    assert.equal(after.code, 0, after.stderr)
    assert.match(after.stderr, /nothing runs on \.\/\.headrace: its database is started for this command only/)
    assert.match(after.stdout, /processor-group +diplom-messages +1 +1 +0 /)
    const stopped = await place.run(['status'])
    assert.equal(stopped.code, 1)
    assert.match(stopped.stderr, /nothing runs on .*headrace run/)
  })

  it('refuse an older schema and say how to mend it', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const ended = await place.run(['parked', 'list'], { DATABASE_URL: database.url })
    assert.equal(ended.code, 1)
    assert.match(ended.stderr, /the schema lacks [\s\S]*SCHEMA_OUTDATED.*headrace migrate/)
  })

  it('say that a server is away, without its password', async () => {
    await using place = await Workplace.make()
    const ended = await place.run(['queues'], { DATABASE_URL: 'postgres://joe:geheim@127.0.0.1:9/none' })
    assert.equal(ended.code, 1)
    assert.match(ended.stderr, /DATABASE_UNAVAILABLE/)
    assert.doesNotMatch(ended.stderr, /geheim|\n\s+at /)
  })
})

describe('headrace migrate', () => {
  it('brings the schema up to date, also when several do so at once, and then has nothing to do', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const env = { DATABASE_URL: database.url }
    const both = await Promise.all([place.run(['migrate', '--json'], env), place.run(['migrate', '--json'], env)])
    const applied = both.map(({ stdout, stderr, code }) => {
      assert.equal(code, 0, stderr)
      return JSON.parse(stdout) as string[]
    })
    assert.equal(applied.filter((names) => names.length > 0).length, 1)
    assert.ok(applied.flat().includes('database/001-markers.sql'))
    assert.equal((await place.run(['migrate'], env)).stdout, 'the schema is up to date\n')
  })
})
