/** One call of a page: what is typed after `$ `, and what is shown below it. */
export interface Call {
  readonly kind: 'call'
  /** Line of the page, from 1. */
  readonly line: number
  readonly command: string
  readonly shown: readonly string[]
}

/** A file that the page asks the reader to write. */
export interface PageFile {
  readonly kind: 'file'
  readonly line: number
  readonly name: string
  readonly text: string
}

export type Step = Call | PageFile

/**
 * The steps of a page, in order: every `$ ` line in a block ```` ```console ````, and every block whose first line ends in
 * `file=<name>`. Other blocks are for the eye.
 */
export function stepsOf(markdown: string): readonly Step[] {
  const steps: Step[] = []
  const lines = markdown.split('\n')
  for (let index = 0; index < lines.length; index += 1) {
    const fence = /^```(\S*)(?: .*?\bfile=(\S+))?/.exec(lines[index] ?? '')
    if (fence === null) continue
    const end = lines.indexOf('```', index + 1)
    if (end === -1) throw new Error(`line ${index + 1}: the block is not closed`)
    const body = lines.slice(index + 1, end)
    const [, language, name] = fence
    if (name !== undefined) steps.push({ kind: 'file', line: index + 1, name, text: `${body.join('\n')}\n` })
    else if (language === 'console') steps.push(...callsOf(body, index + 2))
    index = end
  }
  return steps
}

/** The page with other outputs below its calls. */
export function withOutputs(markdown: string, outputs: ReadonlyMap<number, readonly string[]>): string {
  const lines = markdown.split('\n')
  const calls = stepsOf(markdown).filter((step) => step.kind === 'call')
  for (const { line, shown } of calls.toReversed()) {
    const output = outputs.get(line)
    if (output !== undefined) lines.splice(line, shown.length, ...output)
  }
  return lines.join('\n')
}

function callsOf(body: readonly string[], firstLine: number): readonly Call[] {
  const starts = body.flatMap((text, index) => (text.startsWith('$ ') ? [index] : []))
  if (starts[0] !== 0) throw new Error(`line ${firstLine}: a block of calls begins with "$ "`)
  return starts.map((start, index) => ({
    kind: 'call',
    line: firstLine + start,
    command: (body[start] ?? '').slice(2),
    shown: body.slice(start + 1, starts[index + 1] ?? body.length),
  }))
}
