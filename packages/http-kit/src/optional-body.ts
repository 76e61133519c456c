import type { App } from './app.ts'
import { parseJsonBody } from './json-body.ts'

/** Adds routes whose body may be left out, also by callers that always say `application/json`. */
export function withOptionalBody(app: App, add: (scope: App) => void): void {
  void app.register((scope, _options, done) => {
    scope.removeContentTypeParser('application/json')
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, parsed) => {
      parsed(null, body.length === 0 ? {} : parseJsonBody(body as Buffer))
    })
    add(scope)
    done()
  })
}
