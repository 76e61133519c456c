import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { App } from './app.ts'
import { problemSchema } from './problem.ts'

export interface DocsOptions {
  readonly title: string
  readonly version: string
  readonly description?: string
}

/** Where the browsable reference lies. */
export const docsPath = '/docs'

/** `GET /openapi.json` (OpenAPI 3.1, from the schemas that validate) and `/docs`, from local files only. */
export async function describeApi(app: App, docs: DocsOptions): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: docs.title, version: docs.version, ...(docs.description && { description: docs.description }) },
    },
    transform: ({ schema, url }) => ({ schema: withProblem(schema), url }),
  })
  app.get('/openapi.json', { config: { access: 'public' }, schema: { hide: true } }, async () => app.swagger())
  await app.register(swaggerUi, { routePrefix: docsPath, uiConfig: { deepLinking: true } })
}

/** Every route may answer with a problem; only the description says so, since errors are not written by schemas. */
function withProblem<S extends object | undefined>(schema: S): S {
  const response = schema !== undefined && 'response' in schema ? schema.response : {}
  const problem = { description: 'A problem', content: { 'application/problem+json': { schema: problemSchema } } }
  return { ...schema, response: { ...(response as object), default: problem } }
}
