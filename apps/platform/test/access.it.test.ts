import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { streamPaths } from '@headrace/gateway/contract'
import { person, type TestPerson } from './support/people.ts'
import { get, post, type TestPlatform, testPlatform } from './support/platform.ts'

/** Routes for everybody. A route that is missing here and asks for no token makes a test fail: it was forgotten. */
const everybodys = new Set([
  'GET /health',
  'GET /healthz',
  'GET /ready',
  'GET /api/v1/status',
  'GET /orders-api/info',
  'GET /payments-api/info',
  'POST /api/v1/register',
  'POST /api/v1/registration',
  'POST /register',
  'POST /api/v1/login',
  'POST /login',
  'POST /api/v1/refresh',
  'POST /api/v1/token/refresh',
  'POST /refresh',
  'POST /api/v1/logout',
])

/** What a person's token reads although it is not that person's: order lookup has no owners. */
const commons = new Set(['GET /api/v1/orders', 'GET /api/v1/order-lookup/stats', 'GET /order/{order_uid}'])

interface Operation {
  readonly method: string
  /** As it stands in the description: `/orders/{id}`. */
  readonly path: string
  readonly needsToken: boolean
  readonly hasUserInBody: boolean
}

interface Described {
  readonly security?: readonly object[]
  readonly requestBody?: unknown
}

async function operationsOf(url: string): Promise<Operation[]> {
  const { body } = await get(`${url}/openapi.json`)
  const paths = Object.entries(body['paths'] as Record<string, Record<string, Described>>)
  return paths.flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security = [], requestBody }]) => ({
      method: method.toUpperCase(),
      path,
      needsToken: security.length > 0 && security.every((scheme) => Object.keys(scheme).length > 0),
      hasUserInBody: JSON.stringify(requestBody ?? {}).includes('"user_id"'),
    })),
  )
}

/** What the walk needs of somebody: their id, and one of each thing that can be theirs. */
interface Belongings {
  readonly person: TestPerson
  /** By route pattern: what stands for the parameter that names the thing. */
  readonly things: Readonly<Record<string, string>>
}

const bobsExpression = '20202+30303'

async function belongingsOf(url: string): Promise<Belongings> {
  const owner = await person(url)
  const created = async (path: string, body: object) => {
    const answer = await post(`${url}${path}`, body, owner.headers)
    assert.ok(answer.status < 300, `${path} was answered ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const message = await created('/api/v1/ingest', { source: 's', data: 'd' })
  await created('/payments-api/accounts', {})
  await created(`/payments-api/accounts/${owner.uid}/topup`, { amount: 100 })
  const order = await created('/orders-api/orders', { amount: 10 })
  await untilTrue(
    'the order is paid',
    async () => {
      const { body } = await get(`${url}/orders-api/orders/${order['id']}`, owner.headers)
      return body['status'] === 'paid'
    },
    60_000,
  )
  const expression = String((await created('/api/v1/calculate', { expression: bobsExpression }))['id'])
  const external = { external_id: 'bobs-own', payload_json: { total_amount: 5, currency: 'USD', items: [] } }
  const intake = String((await created('/orders?wait=false', external))['order_id'])
  return {
    person: owner,
    things: {
      '/api/v1/messages/{messageId}': String(message['messageId']),
      '/orders-api/orders/{id}': String(order['id']),
      '/orders-api/orders/{id}/cancel': String(order['id']),
      '/payments-api/payments/by-order/{order_id}': String(order['id']),
      '/api/v1/expressions/{id}': expression,
      '/api/v1/expressions/{id}/tasks': expression,
      '/orders/{order_id}': intake,
      '/orders/by-external/{external_id}': 'bobs-own',
    },
  }
}

function urlOf(base: string, { path }: Operation, thing: string, user: string): string {
  const filled = path.replace(/\{user_id\}/, user).replace(/\{[^}]+\}/, thing)
  return `${base}${filled}`
}

/** A body that the route would take, so that it is not refused for its shape. */
function valid({ path }: Operation): object {
  const all = { amount: 1, expression: '1', payload_json: { total_amount: 1 }, data: 'd', source: 's' }
  return path === '/api/v1/stream-ticket' ? { route: streamPaths[0] } : all
}

async function call(url: string, method: string, headers: Readonly<Record<string, string>>, body?: object) {
  const hasBody = method !== 'GET' && method !== 'DELETE'
  const init = hasBody
    ? { body: JSON.stringify(body ?? {}), headers: { 'content-type': 'application/json', ...headers } }
    : { headers }
  const response = await fetch(url, { method, ...init, signal: AbortSignal.timeout(30_000) })
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
  const text = isStream ? '' : await response.text()
  if (isStream) await response.body?.cancel()
  return { status: response.status, text }
}

describe('with AUTH_REQUIRED, on every route of the API', { timeout: 240_000 }, () => {
  const stack = new AsyncDisposableStack()
  let running: TestPlatform
  let url: string
  let operations: readonly Operation[]
  let bobs: Belongings
  let ann: TestPerson
  before(async () => {
    running = stack.use(await testPlatform({ env: { AUTH_REQUIRED: 'true' } }))
    url = running.at('gateway')
    operations = await operationsOf(url)
    bobs = await belongingsOf(url)
    ann = await person(url)
  })
  after(() => stack.disposeAsync())

  const guarded = () => operations.filter(({ needsToken }) => needsToken)
  const name = ({ method, path }: Operation) => `${method} ${path}`

  it('a token is needed, but for those that are named here', () => {
    const open = operations.filter(({ needsToken }) => !needsToken).map(name)
    assert.deepEqual(
      open.filter((route) => !everybodys.has(route)),
      [],
    )
    assert.ok(guarded().length >= 15, `${guarded().length} routes need a token`)
  })

  it('without a token, with a bad one, with somebody’s ticket it is 401, before the body is looked at', async () => {
    const [header = '', payload = ''] = ann.token.split('.')
    const bad = [
      {},
      { authorization: 'Bearer x' },
      { authorization: `Bearer ${header}.${payload}.AAAA` },
      { authorization: 'Basic eA==' },
    ]
    for (const operation of guarded()) {
      const target = urlOf(url, operation, bobs.things[operation.path] ?? '1', bobs.person.uid)
      for (const headers of bad) {
        assert.equal((await call(target, operation.method, headers)).status, 401, name(operation))
      }
      assert.equal((await call(`${target}?ticket=x`, operation.method, {})).status, 401, name(operation))
    }
  })

  it('another person’s things are not found, and nothing of them is told', async () => {
    for (const operation of guarded().toSorted((a, b) => a.method.localeCompare(b.method) * -1)) {
      const thing = bobs.things[operation.path]
      if (!operation.path.includes('{') || operation.path.includes('{user_id}') || commons.has(name(operation)))
        continue
      assert.ok(thing, `${name(operation)}: this test has to know something of Bob's that it could be asked for`)
      const target = urlOf(url, operation, thing, bobs.person.uid)
      const other = await call(target, operation.method, ann.headers)
      assert.equal(other.status, 404, name(operation))
      const owner = await call(target, operation.method, bobs.person.headers)
      assert.notEqual(owner.status, 404, `${name(operation)} is Bob's own`)
    }
  })

  it('another person may not be named, by either id, in path, query or body', async () => {
    for (const operation of guarded()) {
      const thing = bobs.things[operation.path] ?? '1'
      for (const user of [bobs.person.uid, String(bobs.person.id)]) {
        const inQuery = await call(
          `${urlOf(url, operation, thing, ann.uid)}?user_id=${user}`,
          operation.method,
          ann.headers,
          valid(operation),
        )
        assert.equal(inQuery.status, 403, `${name(operation)} as user ${user} in the query`)
        if (operation.path.includes('{user_id}')) {
          const { status } = await call(
            urlOf(url, operation, thing, user),
            operation.method,
            ann.headers,
            valid(operation),
          )
          assert.equal(status, 403, `${name(operation)} as user ${user} in the path`)
        }
        if (operation.hasUserInBody) {
          const body = { ...valid(operation), user_id: user }
          const { status } = await call(urlOf(url, operation, thing, ann.uid), operation.method, ann.headers, body)
          assert.equal(status, 403, `${name(operation)} as user ${user} in the body`)
        }
      }
    }
  })

  it('lists hold nothing of anybody else', async () => {
    for (const operation of guarded()) {
      if (operation.method !== 'GET' || operation.path.includes('{') || commons.has(name(operation))) continue
      const { text } = await call(urlOf(url, operation, '', ''), 'GET', ann.headers)
      // Small numbers stand for many things; his expression is told by its text.
      const unmistakable = Object.values(bobs.things).filter((thing) => thing.length > 5)
      for (const secret of [bobs.person.uid, bobsExpression, ...unmistakable]) {
        assert.ok(!text.includes(secret), `${name(operation)} tells ${secret}`)
      }
    }
  })

  it('what is internal is on no public port', async () => {
    const ports = running.platform.addresses.filter(({ name: port }) => port !== 'internal')
    for (const { name: port, url: at } of ports) {
      for (const path of [
        '/metrics',
        '/internal/introspect',
        '/internal/task',
        ...(port === 'processor' ? [] : ['/enqueue']),
      ]) {
        for (const method of ['GET', 'POST']) {
          assert.equal(
            (await call(`${at}${path}`, method, bobs.person.headers)).status,
            404,
            `${port} ${method} ${path}`,
          )
        }
      }
    }
  })

  it('a ticket opens the stream it is for, as its person, and no other', async () => {
    const here = streamPaths.filter((path) => operations.some((operation) => operation.path === path))
    assert.ok(here.length > 0)
    for (const path of here) {
      const { status, body } = await post(`${url}/api/v1/stream-ticket`, { route: path }, ann.headers)
      assert.equal(status, 201)
      const ticket = String(body['ticket'])
      assert.equal((await call(`${url}${path}?ticket=${ticket}`, 'GET', {})).status, 200, path)
      assert.equal(
        (await call(`${url}${path}?ticket=${ticket}&user_id=${bobs.person.uid}`, 'GET', {})).status,
        403,
        path,
      )
      for (const other of here) {
        if (other !== path) assert.equal((await call(`${url}${other}?ticket=${ticket}`, 'GET', {})).status, 401, other)
      }
    }
  })
})

describe('on this machine only', { timeout: 240_000 }, () => {
  it('no token is needed, and a bad one is 401 all the same', async () => {
    await using running = await testPlatform()
    const url = running.at('gateway')
    const operations = await operationsOf(url)
    assert.equal((await post(`${url}/api/v1/ingest`, { data: 'd' })).status, 200)
    assert.equal((await get(`${url}/api/v1/me`)).status, 401, 'an account is always somebody’s')
    for (const { method, path } of operations.filter(
      ({ method: each, path: at }) => !everybodys.has(`${each} ${at}`),
    )) {
      const target = `${url}${path.replaceAll(/\{[^}]+\}/g, '1')}`
      const { status } = await call(target, method, { authorization: 'Bearer x' })
      assert.equal(status, 401, `${method} ${path}`)
    }
  })
})

describe('beyond this machine', { timeout: 240_000 }, () => {
  it('tokens are needed unless that is said otherwise, which is warned of', async () => {
    await using open = await testPlatform({ only: 'pipeline', env: { HOST: '0.0.0.0' } })
    const url = open.at('ingest').replace('0.0.0.0', '127.0.0.1')
    assert.equal((await post(`${url}/ingest`, { data: 'd' })).status, 401)
    await using lax = await testPlatform({ only: 'pipeline', env: { HOST: '0.0.0.0', AUTH_REQUIRED: 'false' } })
    const laxUrl = lax.at('ingest').replace('0.0.0.0', '127.0.0.1')
    assert.equal((await post(`${laxUrl}/ingest`, { data: 'd' })).status, 200)
    assert.match(lax.platform.warnings.join('\n'), /AUTH_REQUIRED is false and HOST is 0\.0\.0\.0/)
  })

  it('a weak secret is refused by name', async () => {
    const env = { HOST: '0.0.0.0', JWT_SECRET: 'short' }
    await assert.rejects(testPlatform({ only: 'pipeline', env }), /JWT_SECRET has 5 bytes/)
  })
})
