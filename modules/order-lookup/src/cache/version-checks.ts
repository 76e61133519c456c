/** The version that an order has in the database now, and when that was asked. */
export interface Checked {
  readonly version: string | undefined
  readonly atMs: number
}

export interface VersionChecksNeeds {
  readonly currentVersions: (ids: readonly string[]) => Promise<ReadonlyMap<string, string>>
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

interface Round {
  readonly ids: Set<string>
  readonly result: Promise<Answer>
}

interface Answer {
  readonly versions: ReadonlyMap<string, string>
  readonly atMs: number
}

/**
 * Asks the database for versions, one statement at a time: what is asked for meanwhile is the next one. So an answer is
 * never older than its question, and under load a statement serves many.
 */
export function versionChecks(needs: VersionChecksNeeds): (id: string) => Promise<Checked> {
  let next: Round | undefined
  let last: Promise<unknown> = Promise.resolve()

  function begin(): Round {
    const ids = new Set<string>()
    // The turn's end, so that what is asked for in this turn shares the statement.
    const turn = new Promise<void>((resolve) => setImmediate(resolve))
    const result = Promise.all([last, turn]).then(async () => {
      next = undefined
      const atMs = needs.now()
      return { versions: await needs.currentVersions([...ids]), atMs }
    })
    last = result.catch(() => undefined)
    return { ids, result }
  }

  return async (id) => {
    next ??= begin()
    next.ids.add(id)
    const { versions, atMs } = await next.result
    return { version: versions.get(id), atMs }
  }
}
