import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { Kind } from './options.ts'
import { type ServiceName, serviceNames } from './server.ts'

export interface TestFile {
  /** Path from the root, with slashes. */
  readonly path: string
  readonly kind: Kind
  /** Whether it opens databases of its own on the run's server. */
  readonly needsServer: boolean
  /** Brokers and stores of the run that it uses. */
  readonly services: readonly ServiceName[]
}

const searched = ['packages', 'modules', 'apps', 'tests']
const skipped = new Set(['node_modules', 'fixtures', '.git', '.headrace'])

/** Finds the test files below `root` whose path holds one of the filters, boundary rules first, then by path. */
export function discover(root: string, filters: readonly string[]): TestFile[] {
  const wanted = filters.map((filter) => filter.replace(/^\.\//, ''))
  return searched
    .flatMap((folder) => filesBelow(join(root, folder)))
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => relative(root, path).replaceAll('\\', '/'))
    .filter((path) => wanted.length === 0 || wanted.some((filter) => path.includes(filter)))
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    .map((path) => describeFile(root, path))
}

function describeFile(root: string, path: string): TestFile {
  const kind = kindOf(path)
  const says = (pattern: RegExp) => kind !== 'unit' && oneSays(pattern, join(root, path))
  return {
    path,
    kind,
    needsServer: says(/\btestDatabase\b|HEADRACE_TEST_DATABASE_URL/),
    services: serviceNames.filter((name) =>
      says(new RegExp(`\\btest${name[0]?.toUpperCase()}${name.slice(1)}\\b|HEADRACE_TEST_${name.toUpperCase()}`)),
    ),
  }
}

function rank(path: string): number {
  return path.startsWith('tests/boundaries/') ? 0 : 1
}

function kindOf(path: string): Kind {
  if (path.startsWith('tests/system/') || path.startsWith('tests/chaos/')) return 'system'
  return path.endsWith('.it.test.ts') ? 'it' : 'unit'
}

/**
 * What a file needs is found by what it and its own helpers call: tests reach the run's servers only through
 * `testDatabase`, `testKafka` and the like.
 */
function oneSays(pattern: RegExp, path: string, seen = new Set<string>()): boolean {
  if (seen.has(path) || !existsSync(path)) return false
  seen.add(path)
  const source = readFileSync(path, 'utf8')
  if (pattern.test(source)) return true
  const beside = [...source.matchAll(/from '(\.{1,2}\/[^']+\.ts)'/g)].flatMap((match) => match[1] ?? [])
  return beside
    .filter((name) => !name.includes('/src/') && !name.includes('/tools/'))
    .some((name) => oneSays(pattern, join(dirname(path), name), seen))
}

function filesBelow(folder: string): string[] {
  return entriesOf(folder).flatMap((entry) => {
    if (skipped.has(entry.name)) return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
