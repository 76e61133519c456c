// The ceiling: a Fastify that validates, answers and stores nothing. Prints its port.

import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import { answer, body } from './schemas.ts'

const app = Fastify()
app.post('/api/v1/ingest', { schema: { body, response: { 200: answer } } }, async () => {
  return { messageId: randomUUID(), status: 'accepted', durability: 'none' }
})
const url = await app.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${new URL(url).port}\n`)
