import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { type Lexed, lex } from './lexer.ts'

export interface Import {
  readonly specifier: string
  readonly line: number
}

export interface Source extends Lexed {
  /** Path from the root. */
  readonly path: string
  /** Path from its workspace. */
  readonly inside: string
  readonly text: string
  readonly imports: readonly Import[]
  lineOf(at: number): number
}

export interface Workspace {
  /** `packages/log` */
  readonly path: string
  readonly kind: 'packages' | 'modules' | 'apps'
  /** `log` */
  readonly short: string
  /** `@headrace/log` */
  readonly name: string
  readonly exports: readonly string[]
  readonly dependencies: ReadonlySet<string>
  readonly sources: readonly Source[]
  /** Migrations. */
  readonly sql: readonly { readonly path: string; readonly text: string }[]
}

export interface Tree {
  readonly workspaces: readonly Workspace[]
  /** What the root's package.json offers to everybody's tests. */
  readonly rootDependencies: ReadonlySet<string>
}

interface Manifest {
  readonly name?: string
  readonly exports?: Record<string, string>
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
}

/** Reads all packages, modules and apps below `root`. */
export function readTree(root: string): Tree {
  const kinds = ['packages', 'modules', 'apps'] as const
  const workspaces = kinds.flatMap((kind) =>
    foldersOf(join(root, kind)).map((short) => readWorkspace(root, kind, short)),
  )
  return { workspaces, rootDependencies: new Set(Object.keys(manifestOf(root).devDependencies ?? {})) }
}

function readWorkspace(root: string, kind: Workspace['kind'], short: string): Workspace {
  const path = `${kind}/${short}`
  const manifest = manifestOf(join(root, path))
  const files = filesOf(root, path)
  return {
    path,
    kind,
    short,
    name: manifest.name ?? `@headrace/${short}`,
    exports: Object.keys(manifest.exports ?? {}),
    dependencies: new Set(Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })),
    sources: files.filter((file) => /\.m?ts$/.test(file)).map((file) => readSource(root, path, file)),
    sql: files.filter((file) => file.endsWith('.sql')).map((file) => ({ path: file, text: read(root, file) })),
  }
}

function filesOf(root: string, path: string): string[] {
  const skipped = /(^|\/)(node_modules|fixtures|generated)(\/|$)/
  return globSync(`${path}/**/*.{ts,mts,sql}`, { cwd: root, exclude: (name) => skipped.test(name) })
    .map((file) => file.replaceAll('\\', '/'))
    .sort()
}

function readSource(root: string, workspace: string, path: string): Source {
  const text = read(root, path)
  const lexed = lex(text)
  const lineOf = (at: number) => text.slice(0, at).split('\n').length
  return { ...lexed, path, inside: path.slice(workspace.length + 1), text, lineOf, imports: importsOf(lexed, lineOf) }
}

/** `import … from 'x'`, `export … from 'x'`, `import 'x'` and `import('x')`. */
function importsOf({ bare, strings }: Lexed, lineOf: (at: number) => number): Import[] {
  return strings.flatMap(({ at, text }) => {
    const before = bare.slice(Math.max(0, at - 60), at - 1)
    // Not the text after `${from}` in a template.
    if (bare[at - 1] === '}') return []
    return /(?:\bfrom|\bimport|\bimport\s*\(|\bimport\.meta\.resolve\s*\(|\brequire\s*\()\s*$/.test(before)
      ? [{ specifier: text, line: lineOf(at) }]
      : []
  })
}

/** Where a relative import leads, as a path from the root. */
export function targetOf(source: Source, specifier: string): string {
  return posix.join(dirname(source.path), specifier)
}

/** The package that a specifier names: `@headrace/log` for `@headrace/log/testing`. */
export function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

export function isRelative(specifier: string): boolean {
  return specifier.startsWith('.')
}

/** Sources that run only under test: they may do what production code may not. */
export function isTest(source: Source): boolean {
  return /^test\/|\.test\.ts$|^src\/(testing|suite)\//.test(source.inside)
}

function foldersOf(path: string): string[] {
  if (!existsSync(path)) return []
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
}

function manifestOf(path: string): Manifest {
  const file = join(path, 'package.json')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Manifest) : {} // npm's format
}

function read(root: string, path: string): string {
  return readFileSync(join(root, path), 'utf8')
}
