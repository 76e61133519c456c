import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { createLogger, nullLogger, PlatformError } from '@headrace/runtime'
import { Type } from 'typebox'
import {
  actingUser,
  type Callers,
  createHttpServer,
  type HttpServer,
  maySee,
  type Person,
  personOf,
} from '../src/index.ts'

const ann = { id: 1, uid: '01a1fe70-0000-7000-8000-000000000001' }
const bob = { id: 2, uid: '01a1fe70-0000-7000-8000-000000000002' }
const people: Readonly<Record<string, Person>> = { 'anns-token': ann, 'bobs-token': bob }

/** Ann's ticket is for one route only. */
function callersOf(required: boolean): Callers {
  return {
    required,
    byToken: (token) => people[token],
    byTicket: async (ticket, route) => (ticket === 'anns-ticket' && route === '/stream' ? ann : undefined),
  }
}

async function serverWith(required: boolean, logger = nullLogger): Promise<HttpServer> {
  const docs = { title: 't', version: '1' }
  const server = await createHttpServer({ name: 't', logger, callers: callersOf(required), docs })
  const query = Type.Object({ user_id: Type.Optional(Type.String()), owner: Type.Optional(Type.String()) })
  const schema = { querystring: query }
  const tell = { config: { access: 'person' }, schema } as const
  server.app.get('/mine', tell, async (request) => ({
    is: personOf(request)?.id ?? null,
    acting: actingUser(request, request.query.user_id) ?? null,
    sees: maySee(request, request.query.owner),
  }))
  server.app.get('/stream', { config: { access: 'person', stream: true } }, async (request) => personOf(request) ?? {})
  server.app.get('/other-stream', { config: { access: 'token', stream: true } }, async () => 1)
  server.app.get('/strict', { config: { access: 'token' } }, async (request) => personOf(request) ?? {})
  server.app.get('/all', { config: { access: 'public' } }, async (request) => ({ is: personOf(request) ?? null }))
  return server
}

async function asked(server: HttpServer, url: string, authorization?: string) {
  const answer = await server.app.inject({ url, headers: authorization === undefined ? {} : { authorization } })
  return { status: answer.statusCode, body: answer.json() as Record<string, unknown>, headers: answer.headers }
}

describe('who asks', () => {
  it('a token says it, whether one is needed or not', async () => {
    for (const required of [true, false]) {
      await using server = await serverWith(required)
      for (const written of ['Bearer anns-token', 'bearer anns-token', 'BEARER  anns-token']) {
        assert.equal((await asked(server, '/mine', written)).body['is'], 1)
      }
      assert.deepEqual((await asked(server, '/strict', 'Bearer bobs-token')).body, bob)
    }
  })

  it('a bad token is 401 everywhere but on public routes, also where none is needed', async () => {
    const bad = [
      'Bearer nobodys',
      'Bearer',
      'Bearer anns-token x',
      'anns-token',
      'Basic anns-token',
      'Bearer anns-token,',
      '',
    ]
    for (const required of [true, false]) {
      await using server = await serverWith(required)
      for (const written of bad) {
        for (const url of ['/mine', '/strict', '/stream', '/stream?ticket=anns-ticket']) {
          const { status, headers, body } = await asked(server, url, written)
          assert.deepEqual([status, headers['www-authenticate']], [401, 'Bearer'], `${url} ${written}`)
          assert.ok(!JSON.stringify(body).includes('anns-'))
        }
        assert.deepEqual(await asked(server, '/all', written).then(({ body }) => body), { is: null })
      }
    }
  })

  it('no token is 401 where one is needed; a token route always needs one', async () => {
    await using strict = await serverWith(true)
    await using lax = await serverWith(false)
    const statuses = async (server: HttpServer) =>
      Promise.all(['/mine', '/stream', '/strict', '/all'].map(async (url) => (await asked(server, url)).status))
    assert.deepEqual(await statuses(strict), [401, 401, 401, 200])
    assert.deepEqual(await statuses(lax), [200, 200, 401, 200])
  })

  it('without a token the user that the request names is acted for, and everything is seen', async () => {
    await using server = await serverWith(false)
    assert.deepEqual((await asked(server, '/mine?user_id=u7&owner=u8')).body, { is: null, acting: 'u7', sees: true })
    assert.deepEqual((await asked(server, '/mine')).body, { is: null, acting: null, sees: true })
  })

  it('with a token only oneself is acted for, by either id, and only one’s own is seen', async () => {
    await using server = await serverWith(false)
    for (const own of ['1', ann.uid, ann.uid.toUpperCase()]) {
      const { body } = await asked(server, `/mine?user_id=${own}&owner=${own}`, 'Bearer anns-token')
      assert.deepEqual(body, { is: 1, acting: ann.uid, sees: true })
    }
    const { body } = await asked(server, `/mine?owner=${bob.uid}`, 'Bearer anns-token')
    assert.deepEqual(body, { is: 1, acting: ann.uid, sees: false })
    assert.equal((await asked(server, '/mine', 'Bearer anns-token')).body['sees'], false, 'what is nobody’s')
    for (const other of ['2', bob.uid, '', '01', ' 1']) {
      const url = `/mine?user_id=${encodeURIComponent(other)}`
      assert.equal((await asked(server, url, 'Bearer anns-token')).status, 403, other)
    }
  })

  it('nobody else is named, in path, query or body, also where the route does not look at it', async () => {
    await using server = await serverWith(false)
    for (const access of ['person', 'token'] as const) {
      const at = { config: { access } } as const
      server.app.post(`/${access}`, at, async () => 'done')
      server.app.get(`/${access}/:user_id`, at, async () => 'done')
    }
    const status = async (method: 'GET' | 'POST', url: string, body?: object) => {
      const headers = { authorization: 'Bearer anns-token' }
      return (await server.app.inject({ method, url, headers, ...(body && { payload: body }) })).statusCode
    }
    for (const [named, expected] of [
      [ann.uid, 200],
      ['1', 200],
      [bob.uid, 403],
      ['2', 403],
      ['', 403],
    ] as const) {
      for (const access of ['person', 'token']) {
        assert.equal(await status('POST', `/${access}?user_id=${named}`, {}), expected)
        assert.equal(await status('POST', `/${access}`, { user_id: named }), expected)
        if (named !== '') assert.equal(await status('GET', `/${access}/${named}`), expected)
      }
    }
    assert.equal(await status('POST', '/person', { user_id: 1 }), 200)
    assert.equal(await status('POST', '/person', { user_id: 2 }), 403)
    assert.equal(
      (await server.app.inject({ method: 'POST', url: '/person', payload: { user_id: '2' } })).statusCode,
      200,
    )
  })

  it('where nobody can say who they are, token routes are closed', async () => {
    await using server = await createHttpServer({ name: 't', logger: nullLogger })
    server.app.get('/strict', { config: { access: 'token' } }, async () => 1)
    assert.equal((await asked(server, '/strict', 'Bearer anns-token')).status, 401)
  })
})

describe('a ticket', () => {
  it('opens its own stream as its person, and is refused with any other', async () => {
    for (const required of [true, false]) {
      await using server = await serverWith(required)
      assert.deepEqual((await asked(server, '/stream?ticket=anns-ticket')).body, ann)
      for (const url of [
        '/stream?ticket=unknown',
        '/stream?ticket=',
        '/stream?ticket=anns-ticket&ticket=anns-ticket',
        '/other-stream?ticket=anns-ticket',
        '/mine?ticket=anns-ticket',
        '/strict?ticket=anns-ticket',
      ]) {
        assert.equal((await asked(server, url)).status, 401, url)
      }
    }
  })

  it('that cannot be looked up just now sends an EventSource to come again, and tells anybody else', async () => {
    const away = async () => {
      throw new PlatformError('KEYVALUE_UNAVAILABLE', 'the key-value store is not available')
    }
    await using server = await createHttpServer({
      name: 't',
      logger: nullLogger,
      callers: { ...callersOf(true), byTicket: away },
    })
    const listened = mock.fn(async () => 1)
    server.app.get('/stream', { config: { access: 'token', stream: true } }, listened)
    const url = '/stream?ticket=anns-ticket'
    const browser = await server.app.inject({ url, headers: { accept: 'text/event-stream' } })
    assert.equal(browser.statusCode, 200)
    assert.match(browser.body, /^: unavailable\nretry: \d+\n\n$/)
    const { status, body } = await asked(server, url)
    assert.deepEqual([status, body['code']], [503, 'keyvalue_unavailable'])
    assert.equal(listened.mock.callCount(), 0)
  })

  it('a token beside it counts', async () => {
    await using server = await serverWith(true)
    assert.deepEqual((await asked(server, '/stream?ticket=unknown', 'Bearer bobs-token')).body, bob)
  })

  it('is written to no log, whatever goes wrong', async () => {
    const lines: string[] = []
    const logger = createLogger({ level: 'trace', format: 'json', destination: { write: (line) => lines.push(line) } })
    await using server = await serverWith(true, logger)
    server.app.get('/broken', { config: { access: 'person', stream: true } }, async () => {
      throw new Error('broken')
    })
    const callers = callersOf(true)
    assert.ok(callers.byTicket)
    for (const path of ['/broken', '/stream', '/nowhere', '/%', '/mine']) {
      await asked(server, `${path}?ticket=anns-ticket`)
      await asked(server, `${path}?ticket=anns-ticket`, 'Bearer anns-token')
    }
    assert.ok(lines.length > 0, 'the fault is logged')
    assert.deepEqual(
      lines.filter((line) => /anns-(ticket|token)/.test(line)),
      [],
    )
  })
})

it('the description says where a token is needed, and where it may be shown', async () => {
  const securities = async (required: boolean) => {
    await using server = await serverWith(required)
    const { paths } = (await asked(server, '/openapi.json')).body as {
      readonly paths: Record<string, Record<string, { readonly security?: unknown }>>
    }
    return ['/all', '/mine', '/strict'].map((path) => paths[path]?.['get']?.security)
  }
  assert.deepEqual(await securities(true), [undefined, [{ bearer: [] }], [{ bearer: [] }]])
  assert.deepEqual(await securities(false), [undefined, [{ bearer: [] }, {}], [{ bearer: [] }]])
})
