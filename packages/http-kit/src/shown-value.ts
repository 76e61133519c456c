const longest = 64

/** A value of a caller's, short enough and escaped, to stand in an error. */
export function shownValue(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  // JSON.stringify escapes control characters and lone surrogates.
  if (typeof value === 'string' && value.length > longest) return `${JSON.stringify(value.slice(0, longest))}…`
  return JSON.stringify(value) ?? typeof value
}
