import { UsageError } from './exit-codes.ts'

/** A reader of a whole number for an option or argument, which names it and the range when the text is none. */
export function wholeNumber(name: string, range: { readonly min: number; readonly max?: number }) {
  const { min, max = Number.MAX_SAFE_INTEGER } = range
  const expected = range.max === undefined ? `of at least ${min}` : `from ${min} to ${max}`
  return (text: string): number => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new UsageError(`${name} is '${text}': expected a whole number ${expected}`)
  }
}
