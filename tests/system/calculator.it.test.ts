import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { type CalculatorTopologyName, startCalculatorTopology } from '../support/calculator.ts'

const topologies: readonly CalculatorTopologyName[] = ['one process', 'processes of their own']

interface Expression {
  readonly id: number
  readonly status: string
  readonly result?: number
  readonly error?: string
}

async function ask(url: string, token?: string, body?: unknown, method = body === undefined ? 'GET' : 'POST') {
  const answer = await fetch(url, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> }
}

let accounts = 0

async function register(url: string): Promise<string> {
  accounts += 1
  const email = `user${accounts}@example.org`
  const { status, body } = await ask(`${url}/api/v1/register`, undefined, { email, password: 'correct horse' })
  assert.equal(status, 201, JSON.stringify(body))
  return String(body['access_token'])
}

async function submit(url: string, token: string, expression: string): Promise<number> {
  const { status, body } = await ask(`${url}/api/v1/calculate`, token, { expression })
  assert.equal(status, 200, JSON.stringify(body))
  return Number(body['id'])
}

async function expressionOf(url: string, token: string, id: number): Promise<Expression> {
  return (await ask(`${url}/api/v1/expressions/${id}`, token)).body['expression'] as Expression
}

async function ended(url: string, token: string, id: number): Promise<Expression> {
  let seen: Expression | undefined
  const isEnded = async () => {
    seen = await expressionOf(url, token, id).catch(() => undefined)
    return seen?.status === 'done' || seen?.status === 'failed'
  }
  await untilTrue(`expression ${id} has ended`, isEnded, 90_000)
  assert.ok(seen)
  return seen
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
      const token = await register(url)
      const stranger = await register(url)
      const closing = new AbortController()
      const stream = await fetch(`${url}/api/v1/expressions/stream`, {
        headers: { authorization: `Bearer ${token}` },
        signal: closing.signal,
      })
      assert.equal(stream.status, 200)
      const id = await submit(url, token, '2+2*2')
      const { status, result } = await ended(url, token, id)
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
      const again = await submit(calculator.calculatorUrl, token, '(1+2)*3')
      assert.equal((await ended(calculator.calculatorUrl, token, again)).result, 9)
      assert.equal((await ask(`${url}/internal/task`)).status, 404)
    })

    it('computes what was accepted although every process is killed in the middle', async () => {
      await using calculator = await startCalculatorTopology(name, {
        TIME_ADDITION_MS: '1s',
        TIME_MULTIPLICATIONS_MS: '1s',
        TASK_LEASE_MS: '1s',
        TASK_MAX_KILLS: '100',
      })
      const { url } = calculator
      const token = await register(url)
      const id = await submit(url, token, '(1+2)*(3+4)*(5+6)')
      for (const process of calculator.processes) {
        await untilTrue(
          'an operation runs, or all is done',
          async () => {
            const { body } = await ask(`${url}/api/v1/expressions/${id}/tasks`, token)
            const tasks = body['tasks'] as { status: string }[]
            return tasks.some(({ status }) => status === 'running') || tasks.every(({ status }) => status === 'done')
          },
          60_000,
        )
        await calculator.kill(process)
        await calculator.start(process)
      }
      const { status, result } = await ended(url, token, id)
      assert.deepEqual([status, result], ['done', 231])
    })
  })
}
