/** A TypeScript source without what only looks like code. All views keep every character's place. */
export interface Lexed {
  /** Comments blanked. */
  readonly code: string
  /** Comments and the contents of strings, templates and regular expressions blanked. */
  readonly bare: string
  /** Strings and templates, each with the place of its first character. */
  readonly strings: readonly { readonly at: number; readonly text: string }[]
}

/** A slash after one of these begins a regular expression and does not divide. */
const beforeRegExp =
  /(?:^|[=(,:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|delete|throw|await|yield))\s*$/

/**
 * Tells code from comments and strings; enough for searching, no parser. Mode: in code, or in a template's text; a stack
 * of open braces leads from `${…}` back into its template.
 */
export function lex(source: string): Lexed {
  const code = [...source]
  const bare = [...source]
  const strings: { at: number; text: string }[] = []
  /** Per open template: how many braces are open inside its present `${`. */
  const templates: number[] = []
  let at = 0
  while (at < source.length) {
    const end = next(at)
    at = Math.max(end, at + 1)
  }
  return { code: code.join(''), bare: bare.join(''), strings }

  function next(from: number): number {
    const rest = source.slice(from, from + 2)
    if (rest === '//') return comment(from, ends(source.indexOf('\n', from)))
    if (rest === '/*') return comment(from, ends(source.indexOf('*/', from + 2), 2))
    const char = source[from]
    if (char === "'" || char === '"') return quoted(from, ended(from + 1, char))
    if (char === '`') return template(from + 1)
    if (char === '/' && beforeRegExp.test(source.slice(Math.max(0, from - 40), from)))
      return quoted(from, ended(from + 1, '/'))
    return brace(char, from)
  }

  function brace(char: string | undefined, from: number): number {
    const depth = templates.at(-1)
    if (depth === undefined) return from + 1
    if (char === '{') templates[templates.length - 1] = depth + 1
    if (char !== '}') return from + 1
    if (depth > 0) templates[templates.length - 1] = depth - 1
    else {
      templates.pop()
      return template(from + 1)
    }
    return from + 1
  }

  /** From a template's text to its end or its next `${`. */
  function template(from: number): number {
    let to = from
    while (to < source.length && source[to] !== '`' && source.slice(to, to + 2) !== '${')
      to += source[to] === '\\' ? 2 : 1
    keep(from, to)
    if (source[to] === '`') return to + 1
    templates.push(0)
    return to + 2
  }

  function quoted(from: number, to: number): number {
    keep(from + 1, to)
    return to + 1
  }

  function ended(from: number, quote: string): number {
    let to = from
    let inClass = false
    while (to < source.length && source[to] !== '\n' && (source[to] !== quote || inClass)) {
      if (quote === '/' && source[to] === '[') inClass = true
      if (quote === '/' && source[to] === ']') inClass = false
      to += source[to] === '\\' ? 2 : 1
    }
    return to
  }

  function keep(from: number, to: number): void {
    strings.push({ at: from, text: source.slice(from, to) })
    blank(bare, from, to)
  }

  function comment(from: number, to: number): number {
    blank(code, from, to)
    blank(bare, from, to)
    return to
  }

  function ends(found: number, length = 0): number {
    return found === -1 ? source.length : found + length
  }
}

function blank(chars: string[], from: number, to: number): void {
  for (let at = from; at < to; at += 1) if (chars[at] !== '\n') chars[at] = ' '
}
