/** The text of an env file with one variable set: its last line is replaced, or one is added; all else stays. */
export function withSetting(text: string, name: string, value: string): string {
  const end = text.includes('\r\n') ? '\r\n' : '\n'
  const lines = text.split(/\r\n|\n/)
  const pattern = new RegExp(`^\\s*(?:export\\s+)?${name}\\s*=`)
  // The last of several lines with one name counts.
  const found = lines.findLastIndex((line) => pattern.test(line))
  if (found >= 0) return lines.with(found, `${name}=${value}`).join(end)
  if (lines.at(-1) === '') lines.pop()
  return [...lines, `${name}=${value}`, ''].join(end)
}
