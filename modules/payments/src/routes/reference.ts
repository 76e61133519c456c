import type { App } from '@headrace/http-kit'
import { Type } from 'typebox'

/** Adds `GET /payments-api/info` and the way to the reference. */
export function addReferenceRoutes(app: App): void {
  const schema = {
    tags: ['payments'],
    summary: 'Says that payments serve',
    response: { 200: Type.Object({ status: Type.Literal('OK') }) },
  }
  app.get('/payments-api/info', { config: { access: 'public' }, schema }, async () => ({ status: 'OK' as const }))
  app.get('/payments-api/docs', { config: { access: 'public' }, schema: { hide: true } }, async (_request, reply) =>
    reply.redirect('/docs#/payments'),
  )
}
