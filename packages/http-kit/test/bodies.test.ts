import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { assertStorableText, parseJsonBody } from '../src/index.ts'
import { echoServer } from './test-server.ts'

const json = { 'content-type': 'application/json' }

async function refusal(payload: string | Buffer, headers: Record<string, string> = json) {
  await using server = await echoServer()
  const answer = await server.app.inject({ method: 'POST', url: '/echo', payload, headers })
  return { status: answer.statusCode, code: answer.json().code, detail: answer.json().detail as string }
}

describe('bodies', () => {
  for (const [body, detail] of [
    ['{"data":7}', 'data must be string, got 7'],
    ['{"data":"x","count":"5"}', 'count must be integer, got "5"'],
    ['{"data":"x","count":1.5}', 'count must be integer, got 1.5'],
    ['{"data":"x","count":0}', 'count must be >= 1, got 0'],
    ['{"data":null}', 'data must be string, got null'],
    ['{"source":"x"}', 'data is missing'],
    ['{"data":"x","kind":"c"}', 'kind must be one of "a", "b", got "c"'],
    ['{"data":"x","items":[{"price":1},{"price":"1"}]}', 'items[1].price must be number, got "1"'],
    ['{"data":"x","items":[{}]}', 'items[0].price is missing'],
    ['{"data":"x","metadata":{"a":1}}', 'metadata.a must be string, got 1'],
    ['{"data":"x","metadata":{"a/b~c":[]}}', 'metadata.a/b~c must be string, got an array'],
    ['{"data":"x","password":"short"}', 'password must not have fewer than 8 characters, got another value'],
    ['[]', 'the body must be object, got an array'],
    ['"x"', 'the body must be object, got "x"'],
    ['null', 'the body must be object, got null'],
    ['', 'the body is empty: expected JSON'],
    ['{"data":"a\\u0000b"}', 'data holds a NUL character (U+0000)'],
    ['{"data":"x","metadata":{"k":"\\ud800"}}', 'metadata.k holds a lone surrogate: not valid Unicode'],
    ['{"data":"x","more":[1,{"a":"\\udc00"}]}', 'more[1].a holds a lone surrogate: not valid Unicode'],
    ['{"data":"x","a\\u0000":1}', 'a key of the body holds a NUL character (U+0000)'],
    ['{"data":"x","__proto__":{"admin":true}}', "the body has the key '__proto__', which is not allowed"],
    ['{"data":"x","m":{"\\u005f_proto__":1}}', "m has the key '__proto__', which is not allowed"],
    ['{"data":"x","constructor":{"prototype":{}}}', "the body has the key 'constructor', which is not allowed"],
  ] as const) {
    it(`refuses ${body || 'nothing'}`, async () => {
      assert.deepEqual(await refusal(body), { status: 400, code: 'invalid_request', detail })
    })
  }

  it('refuses what is not JSON, not UTF-8 or cut off', async () => {
    for (const body of ['{"data":', '{data:1}', '{"data":"a\u0000"}', '{"data":"x"}}', 'NaN', '{"data":"x",}']) {
      const { status, detail } = await refusal(body)
      assert.equal(status, 400)
      assert.match(detail, /^the body is not valid JSON: /)
    }
    const notUtf8 = Buffer.from([...Buffer.from('{"data":"'), 0xc3, 0x28, ...Buffer.from('"}')])
    assert.equal((await refusal(notUtf8)).detail, 'the body is not UTF-8')
  })

  it('64 KiB and 1 MiB of brackets are refused, in arrays and in objects', async () => {
    for (const body of ['['.repeat(65_536), '['.repeat(500_000) + ']'.repeat(500_000), '{"a":'.repeat(65_536)]) {
      assert.equal((await refusal(body)).status, 400)
    }
    const deep = `{"data":"x","a":${'{"a":'.repeat(64)}1${'}'.repeat(64)}}`
    assert.equal((await refusal(deep)).detail, 'the body is nested deeper than 64 levels')
    const mixed = `{"data":"x","a":${'[{"a":'.repeat(40)}1${'}]'.repeat(40)}}`
    assert.equal((await refusal(mixed)).detail, 'the body is nested deeper than 64 levels')
  })

  it('a value that is echoed in an error is short and escaped', async () => {
    const { detail } = await refusal(JSON.stringify({ data: 'x', count: `<b>\u0007${'y'.repeat(10_000)}` }))
    assert.match(detail, /^count must be integer, got "<b>\\u0007y{60}"…$/)
    const key = await refusal(JSON.stringify({ data: 'x', metadata: { ['k'.repeat(10_000)]: 7 } }))
    assert.ok(key.detail.length < 300, key.detail)
  })

  it('wrong or missing content types are 415, also for text/plain', async () => {
    for (const type of ['text/plain', 'application/xml', 'nonsense', 'application/jsonx']) {
      const { status, code } = await refusal('{"data":"x"}', { 'content-type': type })
      assert.deepEqual([status, code], [415, 'unsupported_media_type'], type)
    }
    assert.equal((await refusal('{"data":"x"}', {})).status, 415)
  })

  it('packed bodies are 415, so that no small body becomes a large one', async () => {
    const bomb = gzipSync(Buffer.alloc(5_000_000))
    for (const encoding of ['gzip', 'br', 'deflate', 'gzip, identity', 'x'.repeat(500)]) {
      const { status, detail } = await refusal(bomb, { ...json, 'content-encoding': encoding })
      assert.equal(status, 415)
      assert.ok(detail.length < 200)
    }
  })

  it('a body over the limit is 413', async () => {
    assert.deepEqual(await refusal(JSON.stringify({ data: 'x'.repeat(1_048_576) })), {
      status: 413,
      code: 'body_too_large',
      detail: 'the body is larger than this route takes',
    })
  })

  it('takes unknown fields, a byte order mark, a charset, all of Unicode and harmless names', async () => {
    await using server = await echoServer()
    const body = { data: 'snow ☃ 😀', unknown: [1], metadata: { constructor: 'Acme', prototype: 'x', toString: 'y' } }
    for (const payload of [
      JSON.stringify(body),
      `\uFEFF${JSON.stringify(body)}`,
      JSON.stringify(body).replace('😀', '\\ud83d\\ude00'),
    ]) {
      const headers = { 'content-type': 'application/json; charset=utf-8' }
      const answer = await server.app.inject({ method: 'POST', url: '/echo', payload, headers })
      assert.deepEqual(answer.json(), body)
    }
  })

  it('a __proto__ that got by would still change no object', () => {
    assert.throws(() => parseJsonBody(Buffer.from('[{"__proto__":{"x":1}}]')))
    assert.equal(({} as { x?: number }).x, undefined)
  })

  it('assertStorableText names the field', () => {
    assert.throws(() => assertStorableText('a\u0000', 'source'), /source holds a NUL/)
    assertStorableText('fine', 'source')
  })
})

describe('queries and paths', () => {
  it('whole texts become numbers and booleans, others are refused', async () => {
    await using server = await echoServer()
    assert.deepEqual((await server.app.inject('/items/1?limit=5&all=true&more=x')).json(), {
      limit: 5,
      all: true,
      more: 'x',
    })
    for (const [query, detail] of [
      ['limit=5x', 'query parameter limit must be integer, got "5x"'],
      ['limit=', 'query parameter limit must be integer, got ""'],
      ['limit=1.5', 'query parameter limit must be integer, got "1.5"'],
      ['limit=201', 'query parameter limit must be <= 200, got 201'],
      ['limit=1&limit=2', 'query parameter limit must be integer, got an array'],
      ['all=1', 'query parameter all must be boolean, got "1"'],
    ] as const) {
      const answer = await server.app.inject(`/items/1?${query}`)
      assert.equal(answer.statusCode, 400)
      assert.equal(answer.json().detail, detail)
    }
  })

  it('a NUL or a broken escape in the URL is 400', async () => {
    await using server = await echoServer()
    for (const url of ['/items/a%00b', '/items/1?limit=%00', '/items/%ff', '/items/%zz', '/items/%ed%a0%80']) {
      const answer = await server.app.inject(url)
      assert.equal(answer.statusCode, 400, url)
      assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8')
    }
  })

  it('a lone surrogate in a query cannot be written', async () => {
    await using server = await echoServer()
    const answer = await server.app.inject('/items/1?more=%ed%a0%80')
    assert.ok(answer.statusCode === 400 || (answer.json().more as string).isWellFormed())
  })
})
