import type { Queryable, WakeUps } from '@headrace/database'
import { type OnBackgroundError, sleep, startLoop } from '@headrace/runtime'
import type { Appended } from './append.ts'
import type { Head } from './types.ts'

/** Channel on which processes tell each other how far a partition has grown: "topic partition nextOffset". */
const channel = 'headrace_log'

/** Poll in ms: the net below lost wake-ups; one statement for all partitions that somebody waits for. */
const pollMs = 500

interface Waiter {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly wake: () => void
}

/**
 * Knows how far partitions reach, and wakes readers. Three sources, each enough by itself: commits of this process,
 * rings from others, and a poll.
 */
export interface Heads extends AsyncDisposable {
  /** Takes note of a commit of this process, wakes readers here and tells other processes. */
  committed(appended: readonly Appended[]): void
  /** Tells whether the partition is known to hold something at or after `offset`. */
  reaches(topic: string, partition: number, offset: number): boolean
  available(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void>
}

export interface HeadsNeeds {
  readonly database: Queryable
  readonly wakeUps: WakeUps
  readonly onError: OnBackgroundError
}

export function startHeads(needs: HeadsNeeds): Heads {
  const { database, wakeUps } = needs
  const waiters = new Set<Waiter>()
  const known = new Map<string, number>()

  function learn(topic: string, partition: number, nextOffset: number): void {
    const name = `${topic}/${partition}`
    // Asked, because a malformed ring may hold anything.
    if (!Number.isSafeInteger(nextOffset) || nextOffset <= (known.get(name) ?? 0)) return
    known.set(name, nextOffset)
    for (const waiter of waiters) {
      if (waiter.topic === topic && waiter.partition === partition && waiter.offset < nextOffset) waiter.wake()
    }
  }

  function reaches(topic: string, partition: number, offset: number): boolean {
    return (known.get(`${topic}/${partition}`) ?? 0) > offset
  }

  async function ask(): Promise<void> {
    const topics = new Set([...waiters].map(({ topic }) => topic))
    if (topics.size === 0) return
    for (const head of await readHeads(database, [...topics])) learn(head.topic, head.partition, head.nextOffset)
  }

  const unlisten = wakeUps.listen(channel, (payload) => {
    const [topic = '', partition, nextOffset] = payload.split(' ')
    learn(topic, Number(partition), Number(nextOffset))
  })
  // The server that comes back may know less than we do, and rings were missed meanwhile.
  const unwatch = wakeUps.onLost(() => known.clear())
  const loop = startLoop({
    name: 'log heads',
    async run(signal) {
      await sleep(pollMs, signal)
      if (!signal.aborted) await ask()
    },
    onError: needs.onError,
  })

  return {
    committed(appended) {
      for (const { topic, partition, nextOffset } of appended) {
        learn(topic, partition, nextOffset)
        // Nobody else, nobody to tell: a ring costs as much as a commit.
        if (wakeUps.isAlone) continue
        // Commits may be told out of order, and of the rings of a partition only the last is sent.
        const furthest = known.get(`${topic}/${partition}`) ?? nextOffset
        wakeUps.notify(channel, `${topic} ${partition} ${furthest}`, `${topic} ${partition}`)
      }
    },
    reaches,
    available(topic, partition, offset, signal) {
      if (reaches(topic, partition, offset) || signal.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        const wake = () => {
          waiters.delete(waiter)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        const waiter = { topic, partition, offset, wake }
        waiters.add(waiter)
        signal.addEventListener('abort', wake, { once: true })
      })
    },
    async [Symbol.asyncDispose]() {
      unlisten()
      unwatch()
      await loop.stop()
    },
  }
}

/** The heads of topics, in (topic, partition) order. */
export async function readHeads(database: Queryable, topics: readonly string[]): Promise<Head[]> {
  const { rows } = await database.query<{ topic: string; partition: number; next_offset: number }>({
    name: 'log.heads',
    text: `select topic, partition, next_offset from headrace.log_head where topic = any($1) order by topic, partition`,
    values: [topics],
  })
  return rows.map((row) => ({ topic: row.topic, partition: row.partition, nextOffset: row.next_offset }))
}
