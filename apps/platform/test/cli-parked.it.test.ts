import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { testDatabase } from '@headrace/database/testing'
import { type Headrace, ingest, messageState, type Variables, Workplace } from './fixtures/headrace.ts'

const failingFunction = fileURLToPath(new URL('fixtures/failing-function.mjs', import.meta.url))

/** A process whose messages "fail…" are parked at their first attempt, until `mend`. */
async function failing(place: Workplace, databaseUrl: string) {
  const mended = join(place.path, 'mended')
  const env: Variables = {
    DATABASE_URL: databaseUrl,
    PROCESSOR_FUNCTION: failingFunction,
    PROCESSOR_MAX_ATTEMPTS: '1',
    MENDED: mended,
  }
  const running: Headrace = place.start(['run'], env)
  const url = await running.url('gateway')
  const parked = async (data: string): Promise<string> => {
    const { messageId } = await ingest(url, `source of ${data}`, data)
    await messageState(url, messageId, ['parked'])
    return messageId
  }
  const cli = (...args: string[]) => place.run(['parked', ...args], { DATABASE_URL: databaseUrl })
  return { url, parked, cli, mend: () => writeFile(mended, '') }
}

async function listed(
  cli: (...args: string[]) => Promise<{ readonly stdout: string; readonly stderr: string }>,
  ...args: string[]
) {
  const { stdout, stderr } = await cli('list', '--json', ...args)
  assert.equal(stderr, '')
  return JSON.parse(stdout) as readonly {
    readonly id: number
    readonly messageId: string
    readonly state: string
    readonly error: string
    readonly attempts: number
  }[]
}

describe('headrace parked', () => {
  it('lists what failed with its error, and shows one message whole', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const { parked, cli } = await failing(place, database.url)
    assert.equal((await cli('list')).stdout, 'nothing is parked\n')
    const messageId = await parked('fail 1')
    const [found] = await listed(cli)
    assert.deepEqual(
      { messageId: found?.messageId, state: found?.state, attempts: found?.attempts },
      { messageId, state: 'dead', attempts: 1 },
    )
    assert.match(found?.error ?? '', /cannot process 'fail 1'/)
    const people = await cli('list')
    assert.match(people.stdout, /id +state +group +topic +key +message/)
    assert.match(people.stdout, new RegExp(`${found?.id} +dead +processor-group +diplom-messages .*${messageId}`))
    const shown = JSON.parse((await cli('show', String(found?.id), '--json')).stdout)
    assert.equal(Buffer.from(JSON.parse(shown.body).payload, 'base64').toString(), 'fail 1')
    assert.deepEqual(await listed(cli, '--group', 'nobody'), [])
    assert.equal((await listed(cli, '--message-id', messageId)).length, 1)
  })

  it('redrive sends a message back, which is then processed once the cause is mended', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const { url, parked, cli, mend } = await failing(place, database.url)
    const messageId = await parked('fail 1')
    const [found] = await listed(cli)
    await mend()
    const ended = await cli('redrive', String(found?.id))
    assert.deepEqual(ended, { code: 0, signal: null, stdout: '1 message sent back\n', stderr: '' })
    assert.equal(await messageState(url, messageId, ['processed']), 'processed')
    assert.deepEqual(await listed(cli), [])
    const again = await cli('redrive', String(found?.id))
    assert.equal(again.code, 1)
    assert.match(again.stderr, new RegExp(`there is no parked message ${found?.id}`))
  })

  it('redrive --all and drop --all take what their filter names, and ask before', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const { url, parked, cli, mend } = await failing(place, database.url)
    const ids = [await parked('fail 1'), await parked('fail 2'), await parked('fail 3')]
    for (const name of ['redrive', 'drop']) {
      const asked = await cli(name, '--all')
      assert.equal(asked.code, 2)
      assert.match(asked.stderr, /3 dead messages .*\? Nobody can be asked here: add --yes/)
    }
    assert.equal((await cli('drop', '--all', '--group', 'nobody', '--yes')).stdout, '0 messages dropped\n')
    assert.equal((await listed(cli)).length, 3)
    await mend()
    assert.equal(
      (await cli('redrive', '--all', '--group', 'processor-group', '--yes')).stdout,
      '3 messages sent back\n',
    )
    for (const id of ids) assert.equal(await messageState(url, id, ['processed']), 'processed')
  })

  it('drop throws one message away for good, and only when somebody agrees', async () => {
    await using place = await Workplace.make()
    await using database = await testDatabase()
    const { parked, cli } = await failing(place, database.url)
    await parked('fail 1')
    const kept = await parked('fail 2')
    const [first] = await listed(cli)
    const asked = await cli('drop', String(first?.id))
    assert.equal(asked.code, 2)
    assert.match(asked.stderr, /add --yes/)
    assert.deepEqual(JSON.parse((await cli('drop', String(first?.id), '--yes', '--json')).stdout), [first?.id])
    assert.deepEqual(
      (await listed(cli)).map(({ messageId }) => messageId),
      [kept],
    )
  })
})
