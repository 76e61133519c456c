import { nullLogger } from '@headrace/runtime'
import { Type } from 'typebox'
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../src/index.ts'

/** A server with one route that takes and gives a small body. */
export async function echoServer(options: Partial<HttpServerOptions> = {}): Promise<HttpServer> {
  const server = await createHttpServer({ name: 'test', logger: nullLogger, ...options })
  const body = Type.Object({
    source: Type.Optional(Type.String()),
    data: Type.String({ maxLength: 100_000 }),
    count: Type.Optional(Type.Integer({ minimum: 1 })),
    kind: Type.Optional(Type.Union([Type.Literal('a'), Type.Literal('b')])),
    password: Type.Optional(Type.String({ minLength: 8 })),
    items: Type.Optional(Type.Array(Type.Object({ price: Type.Number() }))),
    metadata: Type.Optional(Type.Record(Type.String(), Type.String())),
  })
  server.app.post('/echo', { config: { access: 'public' }, schema: { body } }, async (request) => {
    // The type follows from the schema.
    const data: string = request.body.data
    return { ...request.body, data }
  })
  server.app.post('/anything', { config: { access: 'public' } }, async (request) => ({ got: typeof request.body }))
  const query = Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    all: Type.Optional(Type.Boolean()),
  })
  server.app.get(
    '/items/:id',
    { config: { access: 'public' }, schema: { querystring: query } },
    async (request) => request.query,
  )
  return server
}
