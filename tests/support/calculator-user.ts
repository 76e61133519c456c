import assert from 'node:assert/strict'
import { untilTrue } from '@headrace/database/testing'

export interface ExpressionSeen {
  readonly id: number
  readonly status: string
  readonly result?: number
  readonly error?: string
}

export interface TaskSeen {
  readonly id: string
  readonly operation: string
  readonly status: string
  /** Host, process and which of its workers. */
  readonly worker?: string
  readonly started_at: string
  readonly finished_at: string
}

/** Somebody with an account, who calculates. */
export interface CalculatorUser {
  readonly token: string
  submit(expression: string): Promise<number>
  tasks(id: number): Promise<readonly TaskSeen[]>
  /** Waits until the expression has ended, whatever the server does meanwhile. */
  ended(id: number): Promise<ExpressionSeen>
}

/** Asks as whoever has this token. */
export async function ask(url: string, token?: string, body?: unknown, method = body === undefined ? 'GET' : 'POST') {
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

/** Registers a new account. */
export async function calculatorUser(url: string): Promise<CalculatorUser> {
  accounts += 1
  const email = `user${accounts}@example.org`
  const registered = await ask(`${url}/api/v1/register`, undefined, { email, password: 'correct horse' })
  assert.equal(registered.status, 201, JSON.stringify(registered.body))
  const token = String(registered.body['access_token'])
  const path = `${url}/api/v1/expressions`
  return {
    token,
    async submit(expression) {
      const { status, body } = await ask(`${url}/api/v1/calculate`, token, { expression })
      assert.equal(status, 200, JSON.stringify(body))
      return Number(body['id'])
    },
    tasks: async (id) => (await ask(`${path}/${id}/tasks`, token)).body['tasks'] as readonly TaskSeen[],
    async ended(id) {
      let seen: ExpressionSeen | undefined
      const isEnded = async () => {
        const answer = await ask(`${path}/${id}`, token).catch(() => undefined)
        seen = answer?.body['expression'] as ExpressionSeen | undefined
        return seen?.status === 'done' || seen?.status === 'failed'
      }
      await untilTrue(`expression ${id} has ended`, isEnded, 90_000)
      assert.ok(seen)
      return seen
    },
  }
}
