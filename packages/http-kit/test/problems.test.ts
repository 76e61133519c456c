import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLogger, PlatformError } from '@headrace/runtime'
import { echoServer } from './test-server.ts'

async function failingServer(error: unknown) {
  const lines: string[] = []
  const logger = createLogger({ format: 'json', destination: { write: (line) => lines.push(line) } })
  const server = await echoServer({ logger })
  server.app.get('/fails', { config: { access: 'public' } }, async () => Promise.reject(error))
  return { server, lines }
}

describe('errors', () => {
  it('have one shape, with the request id in the body and the headers', async () => {
    await using server = await echoServer()
    const answer = await server.app.inject({ url: '/nothing', headers: { 'x-request-id': 'r-17' } })
    assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8')
    assert.equal(answer.headers['x-request-id'], 'r-17')
    assert.deepEqual(answer.json(), {
      type: 'urn:headrace:error:not_found',
      title: 'not found',
      status: 404,
      detail: 'there is no GET "/nothing"',
      code: 'not_found',
      instance: 'r-17',
      error: 'there is no GET "/nothing"',
    })
  })

  it('a request id that is no plain text is replaced', async () => {
    await using server = await echoServer()
    for (const id of ['a b', '<script>', 'x'.repeat(129), '']) {
      const answer = await server.app.inject({ url: '/nothing', headers: { 'x-request-id': id } })
      assert.match(answer.json().instance, /^[0-9a-f-]{36}$/)
    }
  })

  it('a path that exists with other methods is 405 with Allow', async () => {
    await using server = await echoServer()
    const answer = await server.app.inject({ method: 'DELETE', url: '/items/7?limit=1' })
    assert.equal(answer.statusCode, 405)
    assert.equal(answer.headers.allow, 'GET, HEAD')
    assert.equal(answer.json().code, 'method_not_allowed')
    assert.equal((await server.app.inject({ method: 'DELETE', url: '/items/7/8' })).statusCode, 404)
    // Of a QUERY the framework asks first what its content is.
    assert.equal((await server.app.inject({ method: 'QUERY', url: '/items/7' })).headers.allow, 'GET, HEAD')
  })

  it('an error of ours has its status and code', async () => {
    const { server } = await failingServer(new PlatformError('FORBIDDEN', 'user 7 is not user 8'))
    await using _ = server
    const answer = await server.app.inject('/fails')
    assert.equal(answer.statusCode, 403)
    assert.equal(answer.json().detail, 'user 7 is not user 8')
  })

  it('an unknown error is 500 without a word of it, and the log has it under the request id', async () => {
    const { server, lines } = await failingServer(
      new Error('select * from secrets', { cause: new Error('at the root') }),
    )
    await using _ = server
    const answer = await server.app.inject({ url: '/fails', headers: { 'x-request-id': 'r-18' } })
    assert.equal(answer.statusCode, 500)
    assert.equal(answer.json().code, 'internal')
    assert.ok(!answer.body.includes('secrets') && !answer.body.includes('root') && !answer.body.includes('.ts'))
    const entry = JSON.parse(lines[0] ?? '')
    assert.equal(entry.requestId, 'r-18')
    assert.match(JSON.stringify(entry.error), /select \* from secrets.*at the root/)
  })

  it('what the database cannot do just now is 503, and what it will never do is 500', async () => {
    for (const [state, status] of [
      ['40P01', 503],
      ['53100', 503],
      ['23502', 500],
    ] as const) {
      const { server } = await failingServer(Object.assign(new Error('said by the server'), { code: state }))
      await using _ = server
      const answer = await server.app.inject('/fails')
      assert.deepEqual([state, answer.statusCode], [state, status])
    }
  })

  it('a thrown text, null or object is 500 too', async () => {
    for (const thrown of ['boo', null, undefined, { statusCode: 'x' }, 7]) {
      const { server } = await failingServer(thrown)
      await using _ = server
      const answer = await server.app.inject('/fails')
      assert.equal(answer.statusCode, 500, String(thrown))
      assert.equal(answer.json().code, 'internal')
    }
  })

  it('from 500 on the message stays inside unless the code tells it, with the details it names', async () => {
    const inside = await failingServer(new PlatformError('DATABASE_UNAVAILABLE', 'connect ECONNREFUSED 10.0.0.1'))
    await using _ = inside.server
    const hidden = await inside.server.app.inject('/fails')
    assert.equal(hidden.statusCode, 503)
    assert.equal(hidden.headers['retry-after'], '1')
    assert.equal(hidden.json().detail, 'the database is not available')

    const details = { messageId: 'm-1', providers: ['kafka'], retryAfterS: 2.5, host: '10.0.0.1' }
    const told = await failingServer(new PlatformError('OUTCOME_UNKNOWN', 'kafka did not answer', { details }))
    await using __ = told.server
    const answer = await told.server.app.inject('/fails')
    assert.equal(answer.headers['retry-after'], '3')
    const { messageId, providers, detail, host } = answer.json()
    assert.deepEqual([messageId, providers, detail, host], ['m-1', ['kafka'], 'kafka did not answer', undefined])
  })

  it('a crowd of 503s is one line a second in the log', async () => {
    const { server, lines } = await failingServer(new PlatformError('UNAVAILABLE', 'x'))
    await using _ = server
    for (let index = 0; index < 20; index++) await server.app.inject('/fails')
    assert.equal(lines.length, 1)
  })

  it('a detail never replaces a member of the problem', async () => {
    const error = new PlatformError('OUTCOME_UNKNOWN', 'm', { details: { status: 200, code: 'fine' } })
    const { server } = await failingServer(error)
    await using _ = server
    const answer = await server.app.inject('/fails')
    assert.deepEqual([answer.json().status, answer.json().code], [503, 'outcome_unknown'])
  })
})
