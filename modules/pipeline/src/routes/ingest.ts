import { type Admission, type App, invalidRequest, type Person } from '@headrace/http-kit'
import { childTrace, formatTraceparent, parseTraceparent } from '@headrace/runtime'
import type { Backlog } from '../backlog.ts'
import type { IngestStats } from '../contract.ts'
import type { DataMessage } from '../domain/data-message.ts'
import { ingestSchema } from '../http-shapes.ts'
import type { Intake } from '../intake/intake.ts'
import { protobufType } from '../wire/queue-body.ts'
import type { Accompanying, ToQueueMessage } from '../wire/queue-message.ts'
import type { KeyedAccepting } from './accepting.ts'
import { protobufMessage } from './protobuf-body.ts'
import { roomHook } from './room.ts'

export interface IngestNeeds {
  readonly intake: Intake
  readonly keyed: KeyedAccepting
  readonly backlog: Backlog
  readonly toQueueMessage: ToQueueMessage
  readonly newId: () => string
  /** Providers that are away and get the message later. */
  readonly lagging: () => readonly string[]
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Bounds the requests in flight. */
  readonly admit: Admission['onRequest']
}

/** Counts requests since the process started; a replayed Idempotency-Key nowhere. */
export class IngestCounters {
  sent = 0
  failed = 0

  get stats(): IngestStats {
    return { TotalReceived: this.sent + this.failed, TotalSent: this.sent, TotalFailed: this.failed }
  }
}

/** What the handler reads of a request. */
interface IngestRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: unknown
  readonly person: Person | undefined
}

type Fields = Pick<DataMessage, 'source' | 'payload' | 'metadata'>

/** Keys of both paths are of one route: they are the same door. */
const keyRoute = '/ingest'

/** Answers `POST` of one message. */
function ingestHandler(needs: IngestNeeds, counters: IngestCounters) {
  const { intake, keyed, toQueueMessage, newId, now } = needs
  const { durability } = intake
  const answer = (messageId: string) => {
    const lagging = needs.lagging()
    return { messageId, status: 'accepted' as const, durability, ...(lagging.length > 0 && { lagging }) }
  }
  const toMessage = (id: string, { source, payload, metadata }: Fields, accompanying: Accompanying) =>
    toQueueMessage({ id, timestamp: Math.floor(now() / 1000), source, payload, metadata }, accompanying)

  return async (request: IngestRequest) => {
    const fields = fieldsOf(request.body)
    const accompanying = { traceparent: continuedTrace(request.headers['traceparent']), owner: request.person?.uid }
    const header = request.headers['idempotency-key']
    if (header !== undefined) return acceptKeyed(header, request.body, fields, accompanying)
    const id = newId()
    await intake.accept({ messages: [toMessage(id, fields, accompanying)] })
    counters.sent += 1
    return answer(id)
  }

  async function acceptKeyed(
    header: string | readonly string[],
    body: unknown,
    fields: Fields,
    accompanying: Accompanying,
  ) {
    const { response, isReplay } = await keyed.accept(header, {
      caller: accompanying.owner,
      route: keyRoute,
      body,
      messages: (id) => [toMessage(id, fields, accompanying)],
      response: (id) => ({ status: 200, body: answer(id) }),
    })
    if (!isReplay) counters.sent += 1
    // Stored by ourselves, so it has the shape of an answer.
    return response.body as ReturnType<typeof answer>
  }
}

/** Adds the route that accepts messages. */
export function addIngestRoute(app: App, path: string, needs: IngestNeeds, counters: IngestCounters): void {
  const handler = ingestHandler(needs, counters)
  void app.register((scope, _options, done) => {
    scope.addContentTypeParser(protobufType, { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body))
    scope.post(
      path,
      {
        config: { access: 'person' },
        onRequest: [needs.admit, roomHook(needs.backlog)],
        onError: (_request, _reply, _error, done) => {
          counters.failed += 1
          done()
        },
        schema: ingestSchema,
      },
      handler,
    )
    done()
  })
}

const noMetadata: Readonly<Record<string, string>> = Object.freeze({})

function fieldsOf(body: unknown): Fields {
  if (body instanceof Uint8Array) return protobufMessage(body)
  if (body === undefined) throw invalidRequest('the body is empty: expected JSON')
  // The schema has checked it.
  const {
    source = '',
    data = '',
    metadata = noMetadata,
  } = body as {
    readonly source?: string
    readonly data?: string
    readonly metadata?: Readonly<Record<string, string>>
  }
  return { source, payload: Buffer.from(data), metadata }
}

/** The trace that a request belongs to goes on with its message. */
function continuedTrace(header: unknown): string | undefined {
  const parent = header === undefined ? undefined : parseTraceparent(header)
  return parent === undefined ? undefined : formatTraceparent(childTrace(parent))
}
