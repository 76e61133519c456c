import type { Collector, Statement } from '@headrace/database'
import type { Hint } from './hints.ts'
import type { EncodedEvent } from './live-event.ts'

/** The rank of live heads in the global lock order: after the log's. */
const liveRank = 20

interface AppendRow {
  readonly subject: string
  readonly first_seq: number
}

/** The collector that numbers and stores events with COMMIT, and tells what was committed. */
export function publishCollector(committed: (hints: readonly Hint[]) => void): Collector<EncodedEvent, AppendRow> {
  return {
    name: 'live.publish',
    rank: liveRank,
    statement: appendStatement,
    committed(items, rows) {
      // Without rows the answer was lost; readers find the events by their hub's poll.
      const next = new Map((rows ?? []).map((row) => [row.subject, row.first_seq]))
      const hints: Hint[] = []
      for (const { subject, event, json } of items) {
        const seq = next.get(subject)
        if (seq === undefined) continue
        next.set(subject, seq + 1)
        hints.push({ subject, seq, content: { event, json } })
      }
      committed(hints)
    },
  }
}

function appendStatement(events: readonly EncodedEvent[]): Statement {
  const counts = new Map<string, number>()
  const ordinals = events.map(({ subject }) => {
    const count = counts.get(subject) ?? 0
    counts.set(subject, count + 1)
    return count
  })
  const subjects = [...counts.keys()]
  const slots = new Map(subjects.map((subject, index) => [subject, index + 1]))
  return {
    name: 'live.append',
    text: 'select subject, first_seq from headrace.live_append($1, $2, $3, $4, $5, $6)',
    values: [
      subjects,
      [...counts.values()],
      events.map(({ subject }) => slots.get(subject)),
      ordinals,
      events.map(({ event }) => event),
      events.map(({ json }) => json),
    ],
  }
}
