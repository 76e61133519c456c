/** A rule that was checked over the live data. */
export interface CheckedRule {
  readonly rule: string
  /** How many rows were looked at. */
  readonly checked: number
  /** Ids that break it; at most 1 000. */
  readonly wrong: readonly string[]
  /** Rows that do not agree yet because messages about them are on their way. */
  readonly underWay?: number
}
