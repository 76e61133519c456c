export interface RetiredCode {
  readonly code: string
  /** The version that no longer raises it. */
  readonly since: string
  /** What says it now. */
  readonly now: string
}

/** Codes that were once published. They are never used again, because clients may still know their old meaning. */
export const retiredCodes: readonly RetiredCode[] = []
