/** When and where a version of an order was written. */
export interface Version {
  /** In ms since the epoch; see `laneTimes`. */
  readonly atMs: number
  readonly origin: string
  readonly partition: number
  readonly offset: number
}

/** Newer is greater: by time, then origin, then position. Code units, as the collation "C" of the columns. */
export function compareVersions(a: Version, b: Version): number {
  if (a.atMs !== b.atMs) return a.atMs - b.atMs
  if (a.origin !== b.origin) return a.origin < b.origin ? -1 : 1
  return a.partition - b.partition || a.offset - b.offset
}

/** Where a message stands and what time it bears. */
export interface Stamped {
  readonly at: number
  readonly spot: Omit<Version, 'atMs'>
}

/** What names a lane in the times of lanes. */
export function laneName({ origin, partition }: Pick<Version, 'origin' | 'partition'>): string {
  return `${partition} ${origin}`
}

/**
 * The versions of messages that come in the order of their lanes: a message's time is capped at now and never before
 * its lane's previous one, so that a producer's clock can neither outlive all later versions nor undo its own.
 * `times` holds each lane's latest and is moved along.
 */
export function versionsOf(messages: readonly Stamped[], nowMs: number, times: Map<string, number>): Version[] {
  return messages.map(({ at, spot }) => {
    const lane = laneName(spot)
    const atMs = Math.max(times.get(lane) ?? 0, Math.min(Math.floor(at), nowMs))
    times.set(lane, atMs)
    return { atMs, origin: spot.origin, partition: spot.partition, offset: spot.offset }
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
