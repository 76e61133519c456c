import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Workplace } from './fixtures/headrace.ts'
import { post } from './support/platform.ts'

describe('headrace queues', () => {
  it('shows each provider of a composite, sends again, and forgets what is not in use any more', async () => {
    await using place = await Workplace.make()
    const composite = { QUEUE_TYPE: 'composite', COMPOSITE_PROVIDERS: 'postgres,memory' }
    const running = place.start(['run'], composite)
    const url = await running.url('gateway')
    const answer = await post(`${url}/api/v1/ingest`, { source: 's', data: 'hello' })
    assert.equal(answer.status, 200)

    const shown = await place.run(['queues'])
    assert.match(shown.stdout, /^provider +topic +head +cursor +lag +undrained +in use +breaker +last error$/m)
    assert.match(shown.stdout, /^memory +diplom-messages +1 +1 +0 +0 +yes +closed$/m)
    const groups: Record<string, unknown>[] = JSON.parse((await place.run(['queues', '--json'])).stdout)
    const relay = groups.find(({ group }) => group === 'relay:memory')
    assert.deepEqual(
      [relay?.['provider'], relay?.['cursor'], relay?.['lag'], relay?.['active']],
      ['memory', 1, 0, true],
    )

    const again = await place.run([
      'queues',
      'resend',
      'diplom-messages',
      '--provider',
      'memory',
      '--from',
      '1',
      '--json',
    ])
    const sent: { provider: string; from: number }[] = JSON.parse(again.stdout)
    assert.deepEqual(
      sent.map(({ provider, from }) => [provider, from]),
      [['memory', 1]],
    )
    const busy = await place.run(['queues', 'forget', 'processor-group', '--yes'])
    assert.equal(busy.code, 1)
    assert.match(busy.stderr, /'processor-group' is being read for/)
    assert.equal((await running.stop()).code, 0)

    assert.equal((await place.run(['queues', 'forget', 'relay:memory', '--yes'])).code, 0)
    assert.doesNotMatch((await place.run(['queues'])).stdout, /memory/)
    assert.equal((await place.run(['queues', 'forget', 'nobody', '--yes'])).code, 1)
  })

  it('switch writes the setting, keeps all else, and says what is left to drain', async () => {
    await using place = await Workplace.make()
    await writeFile(join(place.path, '.env'), '# ours\nAPI_PORT=0\nQUEUE_TYPE=nats\n')
    const ended = await place.run(['queues', 'switch', 'kafka'])
    assert.equal(ended.code, 0, ended.stderr)
    assert.match(ended.stdout, /\.env: QUEUE_TYPE=kafka \(was nats\)/)
    assert.equal(await readFile(join(place.path, '.env'), 'utf8'), '# ours\nAPI_PORT=0\nQUEUE_TYPE=kafka\n')
    const unknown = await place.run(['queues', 'switch', 'rabbit'])
    assert.equal(unknown.code, 2)
    assert.match(unknown.stderr, /'rabbit': expected one of postgres, memory, nats, kafka, composite/)
  })
})
