import { Type } from 'typebox'
import { protobufType } from './wire/queue-body.ts'

/** Texts by name. TypeBox’s own pattern of a name, `^.*$`, would leave what stands under one of several lines unchecked. */
export const metadataShape = Type.Record(Type.String({ pattern: '^[\\s\\S]*$' }), Type.String())

const ingestBody = Type.Object(
  {
    source: Type.Optional(Type.String({ description: 'Messages of one source keep their order.' })),
    data: Type.Optional(Type.String({ description: 'Its UTF-8 bytes are the payload.' })),
    metadata: Type.Optional(metadataShape),
  },
  { examples: [{ source: 'sensor-1', data: 'hello', metadata: { unit: 'C' } }] },
)

const ingestAnswer = Type.Object({
  messageId: Type.String({ format: 'uuid' }),
  status: Type.Literal('accepted'),
  durability: Type.Union([Type.Literal('memory'), Type.Literal('disk'), Type.Literal('replicated')], {
    description: 'What the message survives: nothing, any process killed, one machine lost.',
  }),
  lagging: Type.Optional(
    Type.Array(Type.String(), {
      description: 'With the composite’s best-effort: providers that are away and get the message once they are back.',
    }),
  ),
})

const messageView = Type.Object({
  messageId: Type.String(),
  status: Type.Union(
    [Type.Literal('accepted'), Type.Literal('processed'), Type.Literal('failed'), Type.Literal('parked')],
    { description: '`failed` waits for a retry, `parked` for somebody who redrives or drops it.' },
  ),
  attempts: Type.Integer(),
  result: Type.Optional(Type.String({ description: 'As text, or as base64 when `encoding` says so.' })),
  encoding: Type.Optional(Type.Literal('base64')),
  error: Type.Optional(Type.String()),
  accepted_at: Type.String({ format: 'date-time' }),
  processed_at: Type.Optional(Type.String({ format: 'date-time' })),
})

/** What `POST` of one message takes and answers. */
export const ingestSchema = {
  tags: ['pipeline'],
  summary: 'Accepts a message',
  description: 'Once it is answered the message will be processed, even if any process is killed the next instant.',
  body: { content: { 'application/json': { schema: ingestBody }, [protobufType]: { schema: Type.Any() } } },
  response: { 200: ingestAnswer },
}

/** What `GET` of one message answers. */
export const messageSchema = {
  tags: ['pipeline'],
  summary: 'What became of a message',
  params: Type.Object({ messageId: Type.String() }),
  response: { 200: messageView },
}

/** Ingest's counts. */
export const ingestStatsShape = Type.Object({
  TotalReceived: Type.Integer(),
  TotalSent: Type.Integer(),
  TotalFailed: Type.Integer(),
})

const providerStats = Type.Object({
  healthy: Type.Boolean(),
  size: Type.Integer(),
  published: Type.Integer(),
  failed: Type.Integer(),
  lag: Type.Integer(),
})

/** The processor's counts. */
export const processorStatsShape = Type.Object({
  queue: Type.Object({
    size: Type.Integer(),
    capacity: Type.Integer(),
    composite_stats: Type.Optional(
      Type.Record(Type.String(), providerStats, { description: 'With a composite: each provider, and `total`.' }),
    ),
  }),
  pool: Type.Object({ processed: Type.Integer(), errors: Type.Integer(), workers: Type.Integer() }),
})
