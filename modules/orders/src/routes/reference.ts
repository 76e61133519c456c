import type { App } from '@headrace/http-kit'
import { Type } from 'typebox'

/** Adds `GET /orders-api/info` and the way to the reference. */
export function addReferenceRoutes(app: App): void {
  const schema = {
    tags: ['orders'],
    summary: 'Says that orders serve',
    response: { 200: Type.Object({ status: Type.Literal('OK') }) },
  }
  app.get('/orders-api/info', { config: { access: 'public' }, schema }, async () => ({ status: 'OK' as const }))
  app.get('/orders-api/docs', { config: { access: 'public' }, schema: { hide: true } }, async (_request, reply) =>
    reply.redirect('/docs#/orders'),
  )
}
