import { readFile } from 'node:fs/promises'
import type { App } from '@headrace/http-kit'

/** Orders are hostile input: nothing but the page's own files runs, and nothing frames it. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const headers = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
}

/** The page's files, read once. */
export interface Page {
  readonly html: Buffer
  readonly css: Buffer
  readonly script: Buffer
}

export async function readPage(): Promise<Page> {
  const read = (name: string) => readFile(new URL(`../../page/${name}`, import.meta.url))
  const [html, css, script] = await Promise.all([read('index.html'), read('page.css'), read('page.js')])
  return { html, css, script }
}

/** Adds the page at these paths, and its files below `/order-lookup/`. */
export function addPage(app: App, page: Page, paths: readonly string[]): void {
  for (const path of paths) addFile(app, path, 'text/html; charset=utf-8', page.html)
  addFile(app, '/order-lookup/page.css', 'text/css; charset=utf-8', page.css)
  addFile(app, '/order-lookup/page.js', 'text/javascript; charset=utf-8', page.script)
}

function addFile(app: App, path: string, type: string, content: Buffer): void {
  app.get(path, { config: { access: 'public' }, schema: { hide: true } }, (_request, reply) =>
    reply.headers(headers).type(type).send(content),
  )
}
