/** What differs from run to run, and what stands for it. docs/walkthroughs/README.md tells these rules to the reader. */
const rules: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>'],
  [/"timestamp":\d+/g, '"timestamp":<time>'],
  [/\b00-[0-9a-f]{32}-[0-9a-f]{16}-/g, '<trace>'],
  [/^\d\d:\d\d:\d\d\.\d{3}/g, '<time>'],
  [/\b\d+(\.\d+)? (s|ms)\b/g, '<duration>'],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<token>'],
  [/"(?:[\w-]{22}\.)?[\w-]{43}"/g, '"<secret>"'],
  // Drawn with the id that it is the hash of.
  [/"bucket":[0-3]\b/g, '"bucket":<bucket>'],
  [/"(iat|exp)":\d+/g, '"$1":<time>'],
  [/\btookMs=\d+/g, 'tookMs=<duration>'],
  [/(\bprocess +|"pid": )\d+/g, '$1<pid>'],
  [/\bHeadrace \d+\.\d+\.\d+/g, 'Headrace <version>'],
  [/ +/g, ' '],
]

const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g

/**
 * Makes outputs of different runs comparable. Ids become numbers in the order in which a page shows them, so that two
 * outputs that must show the same id have to do so.
 */
export function normaliser(): (line: string) => string {
  const ids = new Map<string, string>()
  const numberOf = (id: string) => {
    if (!ids.has(id)) ids.set(id, `<id ${ids.size + 1}>`)
    return ids.get(id) ?? id
  }
  return (line) =>
    rules.reduce((text, [pattern, instead]) => text.replace(pattern, instead), line.replace(uuid, numberOf)).trimEnd()
}
