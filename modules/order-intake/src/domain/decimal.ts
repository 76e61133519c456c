/** A decimal number: `digits × 10^−scale`, exactly. */
export interface Decimal {
  readonly digits: bigint
  readonly scale: number
}

export const zero: Decimal = { digits: 0n, scale: 0 }

const numeric = /^([+-]?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,2}))?$/

/** Reads a number or a numeric text; a JSON number counts as it is written: 1.005 is 1.005. Undefined for all else. */
export function readDecimal(value: unknown): Decimal | undefined {
  const written = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : ''
  const [match, sign = '', whole = '', fraction = '', exponent = '0'] = numeric.exec(written) ?? []
  if (match === undefined) return undefined
  const digits = BigInt(`${sign === '-' ? '-' : ''}${whole}${fraction}`)
  const scale = fraction.length - Number(exponent)
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 }
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return { digits: a.digits * b.digits, scale: a.scale + b.scale }
}

export function add(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale)
  const at = (decimal: Decimal) => decimal.digits * 10n ** BigInt(scale - decimal.scale)
  return { digits: at(a) + at(b), scale }
}

/** Hundredths of a decimal that is not negative, rounded half up. */
export function roundToMinor({ digits, scale }: Decimal): bigint {
  if (scale <= 2) return digits * 10n ** BigInt(2 - scale)
  const unit = 10n ** BigInt(scale - 2)
  return (digits + unit / 2n) / unit
}
