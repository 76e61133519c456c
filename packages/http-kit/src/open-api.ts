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

/**
 * `GET /openapi.json` (OpenAPI 3.1, from the schemas that validate) and `/docs`, from local files only. What a schema
 * leaves to the domain, whose words are better, stands beneath `documented` in it: only the description says so. A body
 * that may be left out is marked with `x-optional-body`.
 */
export async function describeApi(app: App, docs: DocsOptions, tokensRequired: boolean): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      components: { securitySchemes: { [bearer]: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
      info: { title: docs.title, version: docs.version, ...(docs.description && { description: docs.description }) },
    },
    transform: ({ schema, url, route }) => ({
      schema: { ...withProblem(asDocumented(schema)), ...securityOf(accessOf(route), tokensRequired) },
      url,
    }),
    transformObject: (document) => ('openapiObject' in document ? withOptionalBodies(document.openapiObject) : {}),
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

function asDocumented<S extends object | undefined>(schema: S): S {
  if (schema === undefined) return schema
  return JSON.parse(JSON.stringify(schema), (_name, value) => {
    if (typeof value !== 'object' || value === null || !('documented' in value)) return value
    const { documented, ...validated } = value
    return { ...validated, ...documented }
  })
}

/** The framework says of every body that it is required. */
function withOptionalBodies<D extends { readonly paths?: object }>(description: D): D {
  for (const operations of Object.values(description.paths ?? {})) {
    for (const { 'x-optional-body': isOptional, requestBody } of Object.values<Operation>(operations)) {
      if (isOptional === true && requestBody !== undefined) requestBody.required = false
    }
  }
  return description
}

interface Operation {
  readonly 'x-optional-body'?: boolean
  readonly requestBody?: { required?: boolean }
}

/** Every route may answer with a problem; only the description says so, since errors are not written by schemas. */
function withProblem<S extends object | undefined>(schema: S): S {
  const response = schema !== undefined && 'response' in schema ? schema.response : {}
  const problem = { description: 'A problem', content: { 'application/problem+json': { schema: problemSchema } } }
  return { ...schema, response: { ...(response as object), default: problem } }
}
