import { type Request, shownValue } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'

/**
 * The position that a client resumes from: `Last-Event-ID`, else `?last_event_id=`; undefined when it has none and the
 * stream starts now. Throws `INVALID_EVENT_ID` when it is no whole number.
 */
export function resumedFrom(request: Request): number | undefined {
  const header = request.headers['last-event-id']
  // What a route's schema makes of its query is the route's; the parameter is looked up by name only.
  const given = header ?? (request.query as Readonly<Record<string, unknown>>)['last_event_id']
  if (given === undefined) return undefined
  if (typeof given === 'string' && /^\d{1,15}$/.test(given)) return Number(given)
  throw invalidEventId(`the last event id ${shownValue(given)} is no whole number`)
}

/** Throws `INVALID_EVENT_ID` when nothing has that position yet. */
export function requireReached(position: number, head: number): void {
  if (position <= head) return
  throw invalidEventId(`the last event id ${position} is beyond this stream's last event, ${head}`)
}

function invalidEventId(message: string): PlatformError {
  return new PlatformError('INVALID_EVENT_ID', message)
}
