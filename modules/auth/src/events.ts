import type { NewMessage } from '@headrace/log'
import { childTrace, formatTraceparent, parseTraceparent } from '@headrace/runtime'
import { type AuthEvent, authEvents } from './contract.ts'

/** An event as it is appended; it continues the trace of the request that caused it. */
export function eventMessage(event: AuthEvent, messageId: string, traceparent: unknown): NewMessage {
  const trace = traceparent === undefined ? undefined : parseTraceparent(traceparent)
  return {
    topic: authEvents,
    id: messageId,
    key: String(event.id),
    type: `auth.${event.event}`,
    headers: trace === undefined ? {} : { traceparent: formatTraceparent(childTrace(trace)) },
    body: Buffer.from(JSON.stringify(event)),
  }
}
