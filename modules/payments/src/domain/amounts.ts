/** Largest amount of one order or top-up, in minor units: 1 000 000.00. */
export const amountLimitMinor = 100_000_000

/** Largest balance, in minor units: sums of it stay exact numbers. */
export const balanceLimitMinor = 100_000_000_000_000

/** An amount as it came over the wire: in minor units, or why it is none. */
export type AmountReading =
  | { readonly kind: 'amount'; readonly minor: number }
  | { readonly kind: 'refused'; readonly expected: string }

/**
 * Reads a decimal number of the wire as minor units. Texts, three decimals, nothing, less than nothing and more than
 * the limit are refused. The number's shortest text decides, so that no binary fraction is ever rounded.
 */
export function readAmount(value: unknown): AmountReading {
  if (typeof value !== 'number' || !Number.isFinite(value)) return refused('must be a number')
  if (value <= 0) return refused('must be greater than 0')
  if (value > amountLimitMinor / 100) return refused(`must be at most ${amountLimitMinor / 100}`)
  const [, whole = '', decimals = ''] = /^(\d+)(?:\.(\d{1,2}))?$/.exec(String(value)) ?? []
  if (whole === '') return refused('must have at most two decimals')
  return { kind: 'amount', minor: Number(whole) * 100 + Number(decimals.padEnd(2, '0')) }
}

/** What `readAmount` takes, as a schema says it. */
export const amountLimits = { exclusiveMinimum: 0, maximum: amountLimitMinor / 100, multipleOf: 0.01 }

/** Minor units as the wire shows them: the number nearest to the decimal, which is written with two decimals at most. */
export function wireAmount(minor: number): number {
  return minor / 100
}

function refused(expected: string): AmountReading {
  return { kind: 'refused', expected }
}
