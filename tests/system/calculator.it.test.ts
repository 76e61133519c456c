import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { type CalculatorTopologyName, startCalculatorTopology } from '../support/calculator.ts'
import { ask, calculatorUser, type TaskSeen } from '../support/calculator-user.ts'

const topologies: readonly CalculatorTopologyName[] = ['one process', 'processes of their own']

function spentMs({ started_at, finished_at }: TaskSeen): number {
  return Date.parse(finished_at) - Date.parse(started_at)
}

/** Reads events until one holds this text. */
async function streamedUntil(response: Response, text: string): Promise<string> {
  let all = ''
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    all += chunk
    if (all.includes(text)) return all
  }
  throw new Error(`the stream ended without ${text}: ${all}`)
}

for (const name of topologies) {
  describe(`the calculator in ${name}`, { timeout: 240_000 }, () => {
    it('registers, computes, lists, streams and cancels; nobody sees another’s expressions', async () => {
      await using calculator = await startCalculatorTopology(name)
      const { url } = calculator
      const user = await calculatorUser(url)
      const { token } = user
      const { token: stranger } = await calculatorUser(url)
      const closing = new AbortController()
      const stream = await fetch(`${url}/api/v1/expressions/stream`, {
        headers: { authorization: `Bearer ${token}` },
        signal: closing.signal,
      })
      assert.equal(stream.status, 200)
      const id = await user.submit('2+2*2')
      const { status, result } = await user.ended(id)
      assert.deepEqual([status, result], ['done', 6])
      assert.match(await streamedUntil(stream, '"done"'), /event: expression-update/)
      closing.abort()
      assert.equal((await ask(`${url}/api/v1/expressions/${id}`, stranger)).status, 404)
      assert.equal((await ask(`${url}/api/v1/expressions/${id}/tasks`, token)).status, 200)
      assert.deepEqual((await ask(`${url}/api/v1/expressions`, stranger)).body, { expressions: [] })
      assert.equal((await ask(`${url}/api/v1/expressions`)).status, 401)
      const refused = await ask(`${url}/api/v1/calculate`, token, { expression: '2+y' })
      assert.deepEqual([refused.status, refused.body['error']], [500, 'invalid expression: expected number'])
      assert.equal((await ask(`${url}/api/v1/expressions/${id}`, token, undefined, 'DELETE')).status, 204)
      // The port of the older walkthrough, too.
      const again = await ask(`${calculator.calculatorUrl}/api/v1/calculate`, token, { expression: '(1+2)*3' })
      assert.equal((await user.ended(Number(again.body['id']))).result, 9)
      assert.equal((await ask(`${url}/internal/task`)).status, 404)
    })
  })
}

// At once: they mostly wait.
describe('operations of 5 s', { concurrency: true, timeout: 600_000 }, () => {
  for (const name of topologies) {
    it(`(${name}) every process that is killed in the middle costs time and nothing else`, async () => {
      const settings = { TIME_ADDITION_MS: '5s', TASK_LEASE_MS: '1s', TASK_MAX_KILLS: '100' }
      await using calculator = await startCalculatorTopology(name, settings)
      const user = await calculatorUser(calculator.url)
      const id = await user.submit('(1+2)*(3+4)')
      for (const process of calculator.processes) {
        const isAtWork = (all: readonly TaskSeen[]) =>
          all.some(({ status }) => status === 'running') || all.every(({ status }) => status === 'done')
        await untilTrue('an operation runs, or all is done', async () => isAtWork(await user.tasks(id)), 60_000)
        await calculator.kill(process)
        await calculator.start(process)
      }
      const { status, result } = await user.ended(id)
      assert.deepEqual([status, result], ['done', 21])
      const spent = (await user.tasks(id)).filter(({ operation }) => operation === '+').map(spentMs)
      assert.ok(spent.length === 2 && spent.every((ms) => ms >= 5_000), `operations took ${spent} ms`)
    })
  }
})
