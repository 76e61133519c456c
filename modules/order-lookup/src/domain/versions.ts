/** What one producer wrote to one partition of a topic, in its order. */
export interface Lane {
  readonly origin: string
  readonly partition: number
}

/** Where a message stands in its topic. */
export interface Spot extends Lane {
  readonly offset: number
}

/** The latest time of a lane in ms since the epoch, and where the message stands that it is the time of. */
export interface LaneTime extends Spot {
  readonly atMs: number
}

/** When and where a version of an order was written; its time is told by `versionsOf`. */
export interface Version extends LaneTime {
  readonly topic: string
}

/**
 * Newer is greater: by time, then origin, then position; in one lane by position alone, for a late message's time may be
 * wrong. Code units, as the collation "C" of the columns.
 */
export function compareVersions(a: Version, b: Version): number {
  if (a.topic === b.topic && laneName(a) === laneName(b)) return a.offset - b.offset
  if (a.atMs !== b.atMs) return a.atMs - b.atMs
  if (a.origin !== b.origin) return a.origin < b.origin ? -1 : 1
  return a.partition - b.partition || a.offset - b.offset
}

/** Where a message stands and what time it bears. */
export interface Stamped {
  readonly at: number
  readonly topic: string
  readonly spot: Spot
}

/** What names a lane of a topic. */
export function laneName({ origin, partition }: Lane): string {
  return `${partition} ${origin}`
}

/**
 * The versions of messages that come in the order of their lanes: a message's time is capped at now and never before
 * its lane's previous one, so that a producer's clock can neither outlive all later versions nor undo its own.
 * `times` holds each lane's latest and is moved along.
 *
 * A message that its lane has passed comes late: it has failed, and the time before it is not known any more. It keeps
 * its own, capped at its lane's latest, and moves nothing.
 */
export function versionsOf(messages: readonly Stamped[], nowMs: number, times: Map<string, LaneTime>): Version[] {
  return messages.map(({ at, topic, spot: { origin, partition, offset } }) => {
    const lane = laneName({ origin, partition })
    const latest = times.get(lane)
    const isLate = latest !== undefined && offset <= latest.offset
    const ownMs = Math.min(Math.floor(at), nowMs)
    const atMs = isLate ? Math.min(latest.atMs, ownMs) : Math.max(latest?.atMs ?? 0, ownMs)
    if (!isLate) times.set(lane, { atMs, origin, partition, offset })
    return { atMs, topic, origin, partition, offset }
  })
}

/** Of several versions of one order the newest, in the order of ids: rows are locked in that order everywhere. */
export function newestOfEach<T extends { readonly id: string; readonly version: Version }>(all: readonly T[]): T[] {
  const newest = new Map<string, T>()
  for (const each of all) {
    const known = newest.get(each.id)
    if (known === undefined || compareVersions(known.version, each.version) < 0) newest.set(each.id, each)
  }
  return [...newest.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
}
