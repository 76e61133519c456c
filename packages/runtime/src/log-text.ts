/** Turns a line of JSON into one that people read: time, level, message, then the other fields as `name=value`. */
export function textLine(line: string): string {
  let entry: unknown
  try {
    entry = JSON.parse(line)
  } catch {
    return line
  }
  if (typeof entry !== 'object' || entry === null) return line
  const { time, level, msg, error, err, ...rest } = entry as Record<string, unknown>
  const clock = String(time).slice(11, 23)
  const fields = Object.entries(rest).map(([name, value]) => ` ${name}=${fieldText(value)}`)
  return `${clock} ${String(level).toUpperCase().padEnd(5)} ${msg ?? ''}${fields.join('')}${errorText(error ?? err)}\n`
}

function fieldText(value: unknown): string {
  return typeof value === 'string' && /^[^\s"]+$/.test(value) ? value : JSON.stringify(value)
}

// A stack needs its line ends: it is the one thing that is not kept to a single line.
function errorText(error: unknown): string {
  if (error === undefined) return ''
  const stack = typeof error === 'object' && error !== null && 'stack' in error ? error.stack : undefined
  return typeof stack === 'string' ? `\n${stack.replace(/^/gm, '    ')}` : ` error=${fieldText(error)}`
}
