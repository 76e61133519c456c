import type { TestEvent as NodeTestEvent } from 'node:test/reporters'
import { inspect } from 'node:util'
import type { TestEvent } from './events.ts'

const kinds = {
  'test:dequeue': 'begin',
  'test:complete': 'end',
  'test:start': 'start',
  'test:pass': 'pass',
  'test:fail': 'fail',
} as const

/** Reporter for node:test that writes one JSON line an event. */
// biome-ignore lint/style/noDefaultExport: Node asks a reporter for one
export default async function* report(source: AsyncIterable<NodeTestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    const line = toLine(event)
    if (line !== undefined) yield `${JSON.stringify(line)}\n`
  }
}

function toLine(event: NodeTestEvent): TestEvent | undefined {
  switch (event.type) {
    case 'test:dequeue':
    case 'test:start':
      return { kind: kinds[event.type], name: event.data.name, nesting: event.data.nesting }
    case 'test:complete':
      return { kind: 'end', name: event.data.name, nesting: event.data.nesting }
    case 'test:pass':
    case 'test:fail': {
      const { name, nesting, skip, todo, details } = event.data
      const error = event.type === 'test:fail' ? explain(event.data.details.error) : undefined
      const reason = skip ?? todo
      return {
        kind: kinds[event.type],
        name,
        nesting,
        suite: details.type === 'suite',
        ...(reason !== undefined &&
          reason !== false && { skip: typeof reason === 'string' ? reason : 'no reason given' }),
        ...(error !== undefined && { error }),
      }
    }
    default:
      return undefined
  }
}

/** The error as a person wants to read it: what the test threw, without the frames of Node itself. */
function explain(error: Error & { failureType?: string }): string | undefined {
  if (error.failureType === 'subtestsFailed') return undefined
  if (error.failureType === 'cancelledByParent') return 'did not finish: its suite failed or ended before it'
  const thrown = error.cause ?? error
  const text =
    typeof thrown === 'string' ? thrown : inspect(thrown, { depth: 8, maxStringLength: 20_000, breakLength: 120 })
  return text
    .split('\n')
    .filter((line) => !/^\s+at .*\(?node:/.test(line))
    .join('\n')
}
