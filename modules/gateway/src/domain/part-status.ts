/** One part of the platform, as the status shows it. */
export interface PartStatus<Stats> {
  readonly healthy: boolean
  readonly stats: Stats | null
  readonly error?: string
}

/** What one replica of a part counted, and what is wrong with it. */
export interface ReplicaReport<Stats> {
  /** Absent when it did not say. */
  readonly stats?: Stats
  /** Absent when it is well. */
  readonly error?: string
}

/** The status of a part with several replicas: healthy when each is, with what those that answer say together. */
export function partStatus<Stats>(
  reports: readonly ReplicaReport<Stats>[],
  together: (all: readonly Stats[]) => Stats,
): PartStatus<Stats> {
  const stats = reports.flatMap((report) => report.stats ?? [])
  const errors = reports.flatMap((report) => report.error ?? [])
  return {
    healthy: errors.length === 0,
    stats: stats.length === 0 ? null : together(stats),
    ...(errors.length > 0 ? { error: errors.join('; ') } : {}),
  }
}

/** Sums counts that each replica keeps for itself, name by name. */
export function summed<Counts extends Readonly<Record<string, number>>>(all: readonly Counts[]): Counts {
  const names = Object.keys(all[0] ?? {})
  const sum = (name: string) => all.reduce((total, counts) => total + (counts[name] ?? 0), 0)
  // Every name of the first, each with a number: the same shape.
  return Object.fromEntries(names.map((name) => [name, sum(name)])) as Counts
}
