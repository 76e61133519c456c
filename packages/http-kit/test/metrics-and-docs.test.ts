import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMetrics } from '@headrace/runtime'
import { Type } from 'typebox'
import { echoServer } from './test-server.ts'

describe('request metrics', () => {
  it('count by route and status, with durations that add up', async () => {
    const metrics = createMetrics()
    await using server = await echoServer({ metrics })
    await server.app.inject('/items/1')
    await server.app.inject('/items/2')
    await server.app.inject('/items/2?limit=x')
    const text = await metrics.metricsText()
    assert.match(text, /headrace_http_requests_total\{server="test",method="GET",route="\/items\/:id",status="200"\} 2/)
    assert.match(text, /headrace_http_requests_total\{server="test",method="GET",route="\/items\/:id",status="400"\} 1/)
    assert.match(text, /duration_seconds_bucket\{server="test",method="GET",route="\/items\/:id",le="\+Inf"\} 3/)
    assert.match(text, /duration_seconds_count\{server="test",method="GET",route="\/items\/:id"\} 3/)
  })

  it('several servers of a process share the metrics', async () => {
    const metrics = createMetrics()
    await using a = await echoServer({ metrics, name: 'a' })
    await using b = await echoServer({ metrics, name: 'b' })
    await a.app.inject('/health')
    await b.app.inject('/health')
    assert.equal(
      (await metrics.metricsText()).match(/requests_total\{server="[ab]",method="GET",route="\/health"/g)?.length,
      2,
    )
  })
})

describe('the API’s description', () => {
  const docs = { title: 'Test', version: '1.2.3' }

  it('is OpenAPI 3.1 from the schemas that validate, with the problem as every other answer', async () => {
    await using server = await echoServer({ docs })
    const description = (await server.app.inject('/openapi.json')).json()
    assert.equal(description.openapi, '3.1.0')
    assert.equal(description.info.title, 'Test')
    const { post } = description.paths['/echo']
    assert.equal(post.requestBody.content['application/json'].schema.properties.data.type, 'string')
    assert.ok(post.responses.default.content['application/problem+json'].schema.properties.code)
    assert.deepEqual(Object.keys(description.paths).sort(), [
      '/anything',
      '/echo',
      '/health',
      '/healthz',
      '/items/{id}',
      '/ready',
    ])
  })

  it('tells what the domain checks, and which bodies may be left out', async () => {
    await using server = await echoServer({ docs })
    const word = Type.String({ documented: { minLength: 3 } })
    const schema = { 'x-optional-body': true, body: Type.Object({ word }) }
    server.app.post('/words', { config: { access: 'public' }, schema }, async () => 'taken')
    const { requestBody } = (await server.app.inject('/openapi.json')).json().paths['/words'].post
    assert.equal(requestBody.required, false)
    assert.deepEqual(requestBody.content['application/json'].schema.properties.word, { type: 'string', minLength: 3 })
    const answer = await server.app.inject({ method: 'POST', url: '/words', payload: { word: 'no' } })
    assert.equal(answer.body, 'taken', 'only the domain checks it')
  })

  it('can be browsed with local files only', async () => {
    await using server = await echoServer({ docs })
    const page = await server.app.inject('/docs/')
    assert.equal(page.statusCode, 200)
    const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '')
    assert.ok(files.length > 3)
    for (const file of files) {
      assert.ok(!/^(https?:)?\/\//.test(file), file)
      const answer = await server.app.inject(new URL(file, 'http://x/docs/').pathname)
      assert.equal(answer.statusCode, 200, file)
    }
  })
})
