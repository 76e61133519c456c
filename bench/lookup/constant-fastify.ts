// The ceiling: a Fastify that answers one order's bytes. Prints its address.
import Fastify from 'fastify'

const bytes = Buffer.from(process.argv[2] ?? '{}')
const app = Fastify()
app.get('/order/:id', (_request, reply) => reply.type('application/json; charset=utf-8').send(bytes))
process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}\n`)
