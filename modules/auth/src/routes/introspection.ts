import { type App, invalidRequest } from '@headrace/http-kit'
import type { AccessTokens } from '@headrace/tokens'
import { introspectSchema } from '../http-shapes.ts'

const formType = 'application/x-www-form-urlencoded'

/** Adds `POST /internal/introspect` (RFC 7662), by form or JSON. A refresh token is no access token: not active. */
export function addIntrospection(app: App, tokens: AccessTokens): void {
  void app.register((scope, _options, done) => {
    scope.addContentTypeParser(formType, { parseAs: 'string' }, (_request, body, parsed) =>
      parsed(null, Object.fromEntries(new URLSearchParams(String(body)))),
    )
    scope.post(
      '/internal/introspect',
      { config: { access: 'internal' }, schema: introspectSchema },
      async (request, reply) => {
        reply.header('cache-control', 'no-store')
        // The schema has checked it; without a body there is nothing to check.
        const { body } = request as { readonly body?: { readonly token: string } }
        if (body === undefined) throw invalidRequest('token is missing')
        const claims = tokens.verify(body.token)
        if (claims === undefined) return { active: false }
        const { typ: _kind, ...told } = claims
        return { active: true, token_type: 'bearer' as const, ...told }
      },
    )
    done()
  })
}
