import type { PubSub } from '@headrace/keyvalue'
import { type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import type { EventOutcome } from '../store/events.ts'

const channel = 'order-intake.acks'
/** Pause in ms between two looks into the database for what no hint has told. */
const lookMs = 500

export interface OutcomesNeeds {
  readonly pubsub: PubSub
  readonly findOutcomes: (eventIds: readonly string[]) => Promise<readonly EventOutcome[]>
  readonly onError: OnBackgroundError
}

/** A request that waits for its event's outcome. */
export interface Waiting extends Disposable {
  /** The outcome; undefined when the time is up or the process stops. */
  within(timeoutMs: number): Promise<EventOutcome | undefined>
}

/**
 * Brings outcomes to the requests that wait for them: those acknowledged here, those of other replicas by their hints,
 * and once in a while whatever the database has.
 */
export interface Outcomes extends Running {
  /** To be called before the event is sent, so that nothing is missed. */
  waitFor(eventId: string): Waiting
  /** Acknowledged here, and committed. */
  tell(outcomes: readonly EventOutcome[]): void
  /** Lets go of all who wait, now and from now on: they learn it later. */
  release(): void
}

/** Starts listening and looking. */
export function startOutcomes({ pubsub, findOutcomes, onError }: OutcomesNeeds): Outcomes {
  const waiting = new Map<string, PromiseWithResolvers<EventOutcome | undefined>>()
  const released = new AbortController()
  const settle = (outcome: EventOutcome) => waiting.get(outcome.eventId)?.resolve(outcome)
  const endHints = pubsub.subscribe(channel, (payload) => outcomesIn(payload).forEach(settle))
  const looking = startLoop({
    name: 'order-intake outcomes',
    onError,
    async run(signal) {
      await sleep(lookMs, signal)
      if (waiting.size > 0) for (const outcome of await findOutcomes([...waiting.keys()])) settle(outcome)
    },
  })

  function waitFor(eventId: string): Waiting {
    const settled = Promise.withResolvers<EventOutcome | undefined>()
    waiting.set(eventId, settled)
    return {
      within: (timeoutMs) => withinTime(settled, timeoutMs, released.signal),
      [Symbol.dispose]() {
        if (waiting.get(eventId) === settled) waiting.delete(eventId)
      },
    }
  }

  const stop = async () => {
    released.abort()
    endHints()
    await looking.stop()
  }
  return {
    waitFor,
    tell(outcomes) {
      outcomes.forEach(settle)
      for (const payload of payloadsOf(outcomes, pubsub.payloadLimitBytes)) pubsub.publish(channel, payload)
    },
    release: () => released.abort(),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function withinTime(
  settled: PromiseWithResolvers<EventOutcome | undefined>,
  timeoutMs: number,
  released: AbortSignal,
): Promise<EventOutcome | undefined> {
  const letGo = () => settled.resolve(undefined)
  if (released.aborted) letGo()
  released.addEventListener('abort', letGo, { once: true })
  const timer = setTimeout(letGo, timeoutMs)
  try {
    return await settled.promise
  } finally {
    clearTimeout(timer)
    released.removeEventListener('abort', letGo)
  }
}

/** Outcomes as hints, as many as fit in each. */
function payloadsOf(outcomes: readonly EventOutcome[], limitBytes: number): string[] {
  // An id, an outcome and a code with quotes, commas and brackets are less than this.
  const atATime = Math.floor(limitBytes / 128)
  const payloads: string[] = []
  for (let from = 0; from < outcomes.length; from += atATime) {
    const part = outcomes.slice(from, from + atATime)
    payloads.push(JSON.stringify(part.map(({ eventId, outcome, code }) => [eventId, outcome, code ?? null])))
  }
  return payloads
}

function outcomesIn(payload: string): EventOutcome[] {
  // Written by `payloadsOf` only.
  const entries = JSON.parse(payload) as [string, EventOutcome['outcome'], string | null][]
  return entries.map(([eventId, outcome, code]) => ({ eventId, outcome, code: code ?? undefined }))
}
