import { sleep } from '@headrace/runtime'
import { type LogRange, logPartitions, type ReadableLog } from '@headrace/transport'

/** Reads in one window beyond which partitions wait; below it every message is read at once. */
const freeReads = 4
/** Longest wait of a partition that messages keep coming to, in ms. */
const windowMs = 40
/** A read that returned so many messages is followed by the next one at once. */
const largeBatch = 128

/**
 * The log, read in larger batches while many partitions are busy. A batch costs one transaction however small it is, and
 * on the machine that also accepts messages, many small ones keep it from accepting. A partition is then read at most
 * once in `windowMs`, unless it is behind.
 */
export function pacedLog(log: ReadableLog): ReadableLog {
  const readAt = new Map<string, number>()
  const window = { startedAt: 0, reads: 0 }

  function waitMs(name: string): number {
    const now = performance.now()
    if (now - window.startedAt > windowMs) {
      window.startedAt = now
      window.reads = 0
    }
    if (window.reads < freeReads) return 0
    return (readAt.get(name) ?? 0) + windowMs - now
  }

  return {
    id: log.id,
    firstOffset: (topic, partition) => log.firstOffset(topic, partition),
    available: (topic, partition, offset, signal) => log.available(topic, partition, offset, signal),
    probe: (signal) => log.probe(signal),
    async read(range: LogRange) {
      const name = `${range.topic}/${range.partition % logPartitions}`
      const ms = waitMs(name)
      if (ms > 0) await sleep(ms)
      const messages = await log.read(range)
      if (messages.length > 0) window.reads += 1
      if (messages.length < largeBatch && messages.length > 0) readAt.set(name, performance.now())
      else readAt.delete(name)
      return messages
    },
  }
}
