import { Type } from 'typebox'
import type { App } from './app.ts'
import type { Readiness } from './readiness.ts'

const healthSchema = Type.Object({ status: Type.Literal('ok'), healthy: Type.Literal(true) })

const readinessSchema = Type.Object(
  { status: Type.Union([Type.Literal('ready'), Type.Literal('unavailable')]) },
  { additionalProperties: Type.String({ description: '`ok` or what is wrong with this part.' }) },
)

export interface HealthOptions {
  readonly readiness: Readiness
  /** Also asked by `GET /healthz`; its error is the answer when it rejects. */
  readonly healthProbe?: () => Promise<void>
}

/** `GET /health`, `/healthz` (the process serves) and `/ready` (all that it needs can be used). */
export function healthRoutes(app: App, options: HealthOptions): void {
  const healthy = { status: 'ok', healthy: true } as const
  const health = { tags: ['health'], summary: 'Whether the process serves', response: { 200: healthSchema } }
  app.get('/health', { config: { access: 'public' }, schema: health }, async () => healthy)
  app.get('/healthz', { config: { access: 'public' }, schema: health }, async () => {
    await options.healthProbe?.()
    return healthy
  })
  const ready = {
    tags: ['health'],
    summary: 'Whether everything that the process needs can be used',
    response: { 200: readinessSchema, 503: readinessSchema },
  }
  app.get('/ready', { config: { access: 'public' }, schema: ready }, async (_request, reply) => {
    const { isReady, parts } = await options.readiness.check()
    if (!isReady) reply.code(503).header('retry-after', '1')
    return { status: isReady ? ('ready' as const) : ('unavailable' as const), ...parts }
  })
}
