import assert from 'node:assert/strict'
import { it } from 'node:test'
import { openDatabase } from '@headrace/database'
import { untilTrue } from '@headrace/database/testing'
import { ask, ended, expressionOf, startCalculator, submit } from './support/calculator.ts'

it('an expression is stored, computed by workers and shown with its value', async () => {
  await using calculator = await startCalculator()
  const id = await submit(calculator, '2+2*2')
  assert.equal(id, 1)
  const done = await ended(calculator, id)
  assert.equal(done.status, 'done')
  assert.equal(done.result, 6)
  assert.equal(done.raw, '2+2*2')
  assert.equal(done.user_id, 1)
  assert.match(done.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.equal((await ended(calculator, await submit(calculator, '-(1+2)*(1+2)'))).result, -9)
  assert.equal((await ended(calculator, await submit(calculator, '-(1+2)'))).result, -3)
  const { body } = await ask<{ tasks: Readonly<Record<string, unknown>>[] }>(
    `${calculator.publicUrl}/api/v1/expressions/${id}/tasks`,
    { user: 1 },
  )
  assert.deepEqual(
    body.tasks.map(({ operation, args, status, result }) => ({ operation, args, status, result })),
    [
      { operation: '*', args: [2, 2], status: 'done', result: 4 },
      { operation: '+', args: [2, 4], status: 'done', result: 6 },
    ],
  )
  assert.deepEqual(body.tasks[1]?.['depends_on'], [body.tasks[0]?.['id']])
})

it('a bare number is done when it is accepted', async () => {
  await using calculator = await startCalculator({ only: 'calculator:api' })
  const id = await submit(calculator, ' -(42) ')
  const { body } = await ask<{ expression: { status: string; result: number } }>(
    `${calculator.publicUrl}/api/v1/expressions/${id}`,
    { user: 1 },
  )
  assert.equal(body.expression.status, 'done')
  assert.equal(body.expression.result, -42)
})

it('what cannot be computed fails with the reason', async () => {
  await using calculator = await startCalculator()
  const divided = await ended(calculator, await submit(calculator, '1/(2-2)+3*4'))
  assert.deepEqual([divided.status, divided.error, divided.result], ['failed', 'division by zero', undefined])
  const huge = await ended(calculator, await submit(calculator, `${'9'.repeat(308)}*${'9'.repeat(308)}`))
  assert.deepEqual([huge.status, huge.error], ['failed', 'result out of range'])
})

it('what is no expression is refused with the text of its error', async () => {
  await using calculator = await startCalculator({ only: 'calculator:api' })
  const url = `${calculator.publicUrl}/api/v1/calculate`
  const refused = await ask(url, { user: 1, body: { expression: '2(3)' } })
  assert.equal(refused.status, 500)
  assert.equal(refused.body['error'], 'invalid expression: unexpected characters at position 1: (3)')
  assert.equal(refused.body['code'], 'invalid_expression')
  assert.match(refused.headers.get('content-type') ?? '', /^application\/problem\+json/)
  for (const body of [
    {},
    { expression: '' },
    { expression: 5 },
    { expression: null },
    { expression: '1'.repeat(65_537) },
  ]) {
    assert.equal((await ask(url, { user: 1, body })).status, 400, JSON.stringify(body).slice(0, 40))
  }
  assert.equal((await ask(url, { body: { expression: '1' } })).status, 401)
  const list = await ask<{ expressions: unknown[] }>(`${calculator.publicUrl}/api/v1/expressions`, { user: 1 })
  assert.deepEqual(list.body, { expressions: [] })
})

it('the status of a syntax error can be chosen', async () => {
  await using calculator = await startCalculator({
    only: 'calculator:api',
    env: { CALCULATOR_SYNTAX_ERROR_STATUS: '422' },
  })
  const refused = await ask(`${calculator.publicUrl}/api/v1/calculate`, { user: 1, body: { expression: '1+' } })
  assert.equal(refused.status, 422)
  assert.equal(refused.body['error'], 'invalid expression: unexpected end of expression')
})

it('the list is the user’s own, newest first, page by page and by status', async () => {
  await using calculator = await startCalculator({ only: 'calculator:api' })
  const url = `${calculator.publicUrl}/api/v1/expressions`
  for (const text of ['1', '2+2', '3', '4']) await submit(calculator, text, 7)
  await submit(calculator, '5', 8)
  type Page = { expressions: { id: number; raw: string }[]; next_cursor?: string }
  const first = (await ask<Page>(`${url}?limit=3`, { user: 7 })).body
  assert.deepEqual(
    first.expressions.map(({ raw }) => raw),
    ['4', '3', '2+2'],
  )
  const rest = (await ask<Page>(`${url}?limit=3&cursor=${first.next_cursor}`, { user: 7 })).body
  assert.deepEqual(
    rest.expressions.map(({ raw }) => raw),
    ['1'],
  )
  assert.equal(rest.next_cursor, undefined)
  const pending = (await ask<Page>(`${url}?status=pending`, { user: 7 })).body
  assert.deepEqual(
    pending.expressions.map(({ raw }) => raw),
    ['2+2'],
  )
  for (const query of ['limit=0', 'limit=201', 'limit=x', 'cursor=abc', 'status=odd']) {
    assert.equal((await ask(`${url}?${query}`, { user: 7 })).status, 400, query)
  }
})

it('nobody sees another’s expressions, and what is no id is not found', async () => {
  await using calculator = await startCalculator({ only: 'calculator:api' })
  const id = await submit(calculator, '1+1', 7)
  const url = `${calculator.publicUrl}/api/v1/expressions`
  for (const path of [`${id}`, `${id}/tasks`, '999', 'abc', '0', '-1', '1.5', '9'.repeat(30)]) {
    const { status, body } = await ask(`${url}/${path}`, { user: 8 })
    assert.equal(status, 404, path)
    assert.equal(body['error'], 'expression not found', path)
    assert.equal((await ask(`${url}/${path.split('/')[0]}`, { user: 8, method: 'DELETE' })).status, 404, path)
  }
  assert.equal((await ask(`${url}/${id}`, { user: 7 })).status, 200)
})

it('cancelling ends what is unfinished, and changes nothing that has ended', async () => {
  await using calculator = await startCalculator({ env: { TIME_ADDITION_MS: '60s' } })
  const url = `${calculator.publicUrl}/api/v1/expressions`
  const id = await submit(calculator, '(1+2)*(3+4)+5+6')
  type Tasks = { tasks: { status: string }[] }
  const statuses = async () =>
    (await ask<Tasks>(`${url}/${id}/tasks`, { user: 1 })).body.tasks.map(({ status }) => status)
  await untilTrue('both places of the worker are taken', async () => {
    return (await statuses()).filter((status) => status === 'running').length === 2
  })
  assert.equal((await ask(`${url}/${id}`, { user: 1, method: 'DELETE' })).status, 204)
  const cancelled = await ended(calculator, id)
  assert.deepEqual([cancelled.status, cancelled.error], ['failed', 'cancelled'])
  assert.equal((await ask(`${url}/${id}`, { user: 1, method: 'DELETE' })).status, 204)
  assert.deepEqual(new Set(await statuses()), new Set(['cancelled']))
  // The worker’s places are free again, long before the time of what was cancelled.
  assert.equal((await ended(calculator, await submit(calculator, '3*4'))).result, 12)
  const number = await submit(calculator, '7')
  // Said by clients that always say so.
  const headers = { 'content-type': 'application/json' }
  assert.equal((await ask(`${url}/${number}`, { user: 1, method: 'DELETE', headers })).status, 204)
  assert.equal((await ended(calculator, number)).result, 7)
})

it('the tasks of an expression that ended longer ago than they are kept are gone; the expression stays', async () => {
  await using calculator = await startCalculator({ env: { TASK_RETENTION_MS: '1s', TIME_SUBTRACTION_MS: '60s' } })
  const url = `${calculator.publicUrl}/api/v1/expressions`
  const tasksOf = async (id: number) =>
    (await ask<{ tasks: unknown[] }>(`${url}/${id}/tasks`, { user: 1 })).body.tasks.length
  const running = await submit(calculator, '1+2-3')
  const id = await submit(calculator, '(1+2)*3')
  const done = await ended(calculator, id)
  await untilTrue('its tasks are gone', async () => (await tasksOf(id)) === 0, 30_000)
  assert.ok(Date.now() - Date.parse(done.updated_at) >= 1_000)
  assert.deepEqual(await expressionOf(calculator, id), done)
  assert.equal(await tasksOf(running), 2)
  await ask(`${url}/${running}`, { user: 1, method: 'DELETE' })
})

it('the same Idempotency-Key submits once; a syntax error leaves it free', async () => {
  await using calculator = await startCalculator({ only: 'calculator:api' })
  const url = `${calculator.publicUrl}/api/v1/calculate`
  const send = (expression: string, user = 1) =>
    ask<{ id: number; code?: string }>(url, { user, body: { expression }, headers: { 'idempotency-key': 'k1' } })
  assert.equal((await send('1+')).status, 500)
  const first = await send('1+1')
  const again = await send('1+1')
  assert.deepEqual([first.status, again.status, again.body.id], [200, 200, first.body.id])
  assert.equal((await send('1+2')).body.code, 'idempotency_key_reused')
  assert.notEqual((await send('1+1', 2)).body.id, first.body.id)
})

it('a database connection that is cut while tasks are stored costs a 503, and nothing else', async () => {
  await using calculator = await startCalculator({ only: 'calculator:api' })
  // Not under the module's role, which may end nobody's session.
  await using database = openDatabase({ url: calculator.url, maxConnections: 2, onError: () => {} })
  const cut = `select pg_terminate_backend(pid) from pg_locks where relation = 'calculator.task'::regclass and not granted`
  for (const headers of [{}, { 'idempotency-key': 'cut' }]) {
    const answer = await database.inTransaction(async (tx) => {
      await tx.query({ text: 'lock table calculator.task in exclusive mode' })
      const answer = ask(`${calculator.publicUrl}/api/v1/calculate`, { user: 1, body: { expression: '1+2' }, headers })
      await untilTrue(
        'the insert of the tasks is cut',
        async () => (await database.query({ text: cut })).rows.length > 0,
      )
      return answer
    })
    assert.equal(answer.status, 503)
  }
  assert.ok((await submit(calculator, '1+2')) > 0)
})

it('text that is more than can be stored at a time is refused, and the rest is stored', async () => {
  await using calculator = await startCalculator({ only: 'calculator:api' })
  await using database = openDatabase({
    url: calculator.url,
    maxConnections: 1,
    idleInTransactionMs: 60_000,
    onError: () => {},
  })
  const url = `${calculator.publicUrl}/api/v1/calculate`
  const send = () => ask(url, { user: 1, body: { expression: '1'.padEnd(65_536) } })
  const refused: unknown[] = []
  const answers = await database.inTransaction(async (tx) => {
    await tx.query({ text: 'lock table calculator.expression in exclusive mode' })
    const sent = Array.from({ length: 40 }, async () => {
      const answer = await send()
      if (answer.status !== 200) refused.push(answer.body['code'])
      return answer
    })
    await untilTrue('8 of 40 are refused', () => refused.length === 8)
    return sent
  })
  const accepted = (await Promise.all(answers)).filter(({ status }) => status === 200)
  assert.deepEqual(new Set(refused), new Set(['queue_full']))
  assert.equal(accepted.length, 32)
  assert.equal((await send()).status, 200, 'there is room again')
})

it('many users at once each get one row and the right value', async () => {
  await using calculator = await startCalculator()
  const users = Array.from({ length: 100 }, (_, index) => index + 1)
  const ids = await Promise.all(users.map((user) => submit(calculator, `${user}+${user}*2-1`, user)))
  assert.deepEqual(
    ids.toSorted((a, b) => a - b),
    users,
  )
  for (const [index, user] of users.entries()) {
    assert.equal((await ended(calculator, ids[index] ?? 0, user)).result, user * 3 - 1)
  }
})
