// What one writes first: Fastify and one transaction (insert + commit) per request. argv: database url. Prints its port.

import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import pg from 'pg'
import { answer, body } from './schemas.ts'

const pool = new pg.Pool({ connectionString: process.argv[2], max: 16 })
await pool.query(
  'create table if not exists message (id uuid primary key, source text, data text, at timestamptz default now())',
)
const app = Fastify()
app.post<{ Body: { source?: string; data?: string } }>(
  '/api/v1/ingest',
  { schema: { body, response: { 200: answer } } },
  async ({ body: { source = '', data = '' } }) => {
    const messageId = randomUUID()
    const text = 'insert into message (id, source, data) values ($1, $2, $3)'
    await pool.query({ name: 'insert', text, values: [messageId, source, data] })
    return { messageId, status: 'accepted', durability: 'disk' }
  },
)
const url = await app.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${new URL(url).port}\n`)
