import { type App, invalidRequest } from '@headrace/http-kit'
import { type Static, Type } from 'typebox'
import type { Backlog } from '../backlog.ts'
import { type DataMessage, idLimitChars, isBase64 } from '../domain/data-message.ts'
import { idAt } from '../domain/message-ids.ts'
import { metadataShape } from '../http-shapes.ts'
import type { Intake } from '../intake/intake.ts'
import { protobufType } from '../wire/queue-body.ts'
import type { ToQueueMessage } from '../wire/queue-message.ts'
import type { KeyedAccepting } from './accepting.ts'
import { protobufMessage } from './protobuf-body.ts'
import { roomHook } from './room.ts'

/** Those that come out of protobuf as they went in. */
const wholeNumbers = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }

const dataMessage = Type.Object(
  {
    id: Type.Optional(Type.String({ maxLength: idLimitChars, description: 'Made here when absent.' })),
    timestamp: Type.Optional(Type.Integer({ ...wholeNumbers, description: 'Seconds since the epoch.' })),
    source: Type.Optional(Type.String()),
    payload: Type.Optional(Type.String({ description: 'base64' })),
    metadata: Type.Optional(metadataShape),
  },
  { title: 'DataMessage', examples: [{ source: 'sensor-1', payload: 'aGVsbG8=' }] },
)

/** Most messages of one request: they share a transaction, and their work one turn of the event loop. */
const maxItems = 10_000

const enqueueBody = Type.Union([dataMessage, Type.Array(dataMessage, { maxItems })])

export interface EnqueueNeeds {
  readonly intake: Intake
  readonly keyed: KeyedAccepting
  readonly backlog: Backlog
  readonly toQueueMessage: ToQueueMessage
  readonly newId: () => string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Adds `POST /enqueue`: one message or several, all or none, from other processes of ours. */
export function addEnqueueRoute(app: App, needs: EnqueueNeeds): void {
  void app.register((scope, _options, done) => {
    scope.addContentTypeParser(protobufType, { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body))
    scope.post(
      '/enqueue',
      {
        config: { access: 'internal' },
        onRequest: roomHook(needs.backlog),
        schema: {
          tags: ['pipeline'],
          summary: 'Accepts messages as they stand on the queue: all or none',
          body: { content: { 'application/json': { schema: enqueueBody }, [protobufType]: { schema: Type.Any() } } },
          response: { 202: Type.Object({ accepted: Type.Integer() }) },
        },
      },
      async (request, reply) => {
        reply.code(202)
        return { accepted: await enqueue(needs, request.headers, request.body) }
      },
    )
    done()
  })
}

/** A message whose id may still be missing. */
interface Sent extends Omit<DataMessage, 'timestamp'> {
  readonly timestamp: number | undefined
}

/** Says whose the messages are, when they are handed over by a process that has looked at the token. */
export const ownerField = 'x-headrace-owner'

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function accountUid(owner: string | readonly string[]): string {
  if (typeof owner === 'string' && uuid.test(owner)) return owner
  throw invalidRequest(`${ownerField} must be the UUID of an account`)
}

type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

async function enqueue(needs: EnqueueNeeds, headers: RequestHeaders, body: unknown): Promise<number> {
  const { intake, keyed, toQueueMessage, newId, now } = needs
  const { 'idempotency-key': header, [ownerField]: owner } = headers
  const accompanying = owner === undefined ? {} : { owner: accountUid(owner) }
  const sent = sentMessages(body)
  const nowSeconds = Math.floor(now() / 1000)
  const messages = (effectId: string) =>
    sent.map(({ id, timestamp, ...rest }, index) =>
      toQueueMessage(
        { ...rest, id: id === '' ? idAt(effectId, index) : id, timestamp: timestamp ?? nowSeconds },
        accompanying,
      ),
    )
  if (header === undefined) {
    if (sent.length > 0) await intake.accept({ messages: messages(newId()) })
    return sent.length
  }
  const response = { status: 202, body: { accepted: sent.length } }
  await keyed.accept(header, { route: '/enqueue', body, messages, response: () => response })
  return sent.length
}

function sentMessages(body: unknown): readonly Sent[] {
  if (body instanceof Uint8Array) return [protobufSent(body)]
  if (body === undefined) throw invalidRequest('the body is empty: expected JSON')
  // The schema has checked it.
  const fields = body as Static<typeof enqueueBody>
  return Array.isArray(fields) ? fields.map((each, index) => jsonSent(each, `[${index}].`)) : [jsonSent(fields, '')]
}

function jsonSent(fields: Static<typeof dataMessage>, place: string): Sent {
  const { id = '', timestamp, source = '', payload = '', metadata = {} } = fields
  if (!isBase64(payload)) throw invalidRequest(`${place}payload must be base64 with padding (RFC 4648, section 4)`)
  return { id, timestamp, source, payload: Buffer.from(payload, 'base64'), metadata }
}

function protobufSent(body: Uint8Array): Sent {
  const message = protobufMessage(body)
  if (message.id.length > idLimitChars) throw invalidRequest(`id must not have more than ${idLimitChars} characters`)
  // A number that was never set reads as 0.
  return { ...message, timestamp: message.timestamp === 0 ? undefined : message.timestamp }
}
