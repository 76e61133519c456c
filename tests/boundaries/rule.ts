import type { Source, Tree, Workspace } from './tree.ts'

export interface Violation {
  readonly path: string
  readonly line: number
  /** What is wrong there. */
  readonly what: string
}

/** A rule about the shape of the code; `fixtures/<name>` holds a tree with violations that it must find. */
export interface Rule {
  readonly name: string
  /** The rule as a promise, the name of its test. */
  readonly promise: string
  check(tree: Tree): readonly Violation[]
}

/** Collects what `check` finds in each source of each workspace. */
export function inSources(
  tree: Tree,
  check: (workspace: Workspace, source: Source) => readonly Omit<Violation, 'path'>[],
): Violation[] {
  return tree.workspaces.flatMap((workspace) =>
    workspace.sources.flatMap((source) => check(workspace, source).map((found) => ({ ...found, path: source.path }))),
  )
}

/** Every place where the pattern (with the flag `g`) matches the source's bare code. */
export function matchesIn(source: Source, pattern: RegExp): { readonly line: number; readonly text: string }[] {
  return [...source.bare.matchAll(pattern)].map((match) => ({ line: source.lineOf(match.index), text: match[0] }))
}
