import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { type Access, accessOf } from './access.ts'
import type { App } from './app.ts'
import { problemSchema } from './problem.ts'

export interface DocsOptions {
  readonly title: string
  readonly version: string
  readonly description?: string
}

/** The name of the security scheme. */
const bearer = 'bearer'

/** Where the browsable reference lies. */
export const docsPath = '/docs'

/** `GET /openapi.json` (OpenAPI 3.1, from the schemas that validate) and `/docs`, from local files only. */
export async function describeApi(app: App, docs: DocsOptions, tokensRequired: boolean): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      components: { securitySchemes: { [bearer]: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
      info: { title: docs.title, version: docs.version, ...(docs.description && { description: docs.description }) },
    },
    transform: ({ schema, url, route }) => ({
      schema: { ...withProblem(schema), ...securityOf(accessOf(route), tokensRequired) },
      url,
    }),
  })
  app.get('/openapi.json', { config: { access: 'public' }, schema: { hide: true } }, async () => app.swagger())
  await app.register(swaggerUi, { routePrefix: docsPath, uiConfig: { deepLinking: true } })
}

/** Who has to show a token, and who may. */
function securityOf(access: Access, tokensRequired: boolean): { readonly security?: Record<string, string[]>[] } {
  if (access === 'public') return {}
  const isOptional = access === 'person' && !tokensRequired
  return { security: [{ [bearer]: [] }, ...(isOptional ? [{}] : [])] }
}

/** Every route may answer with a problem; only the description says so, since errors are not written by schemas. */
function withProblem<S extends object | undefined>(schema: S): S {
  const response = schema !== undefined && 'response' in schema ? schema.response : {}
  const problem = { description: 'A problem', content: { 'application/problem+json': { schema: problemSchema } } }
  return { ...schema, response: { ...(response as object), default: problem } }
}
