import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createLogger, createMetrics, PlatformError } from '@headrace/runtime'
import { answerCallersFault, createHttpServer } from '../src/index.ts'

it('a caller’s fault with a status of ours is answered, and neither logged nor counted as ours', async () => {
  const lines: string[] = []
  const metrics = createMetrics()
  const logger = createLogger({ format: 'json', destination: { write: (line) => lines.push(line) } })
  await using server = await createHttpServer({ name: 'test', logger, metrics })
  server.app.get('/odd', { config: { access: 'public' } }, async (_request, reply) =>
    answerCallersFault(reply, new PlatformError('INTERNAL', 'yours')),
  )
  const answer = await server.app.inject('/odd')
  assert.equal(answer.statusCode, 500)
  assert.match(String(answer.headers['content-type']), /problem\+json/)
  assert.deepEqual(lines, [])
  assert.match(await metrics.metricsText(), /requests_total\{[^}]*route="\/odd",status="400"\} 1/)
})
