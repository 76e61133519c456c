import type { Rule, Violation } from '../rule.ts'
import type { Tree, Workspace } from '../tree.ts'

const statement =
  /\b(?:select|insert|update|delete|merge|create|alter|drop|truncate|lock|copy|grant|with|search_path)\b/i
/** A qualified name where SQL expects a table, sequence, type or schema. */
const qualified =
  /\b(?:from|join|into|update|table|references|truncate|sequence|view|function|procedure|type|trigger\s+\w+\s+(?:before|after)\s+\w+\s+on|index\s+(?:concurrently\s+)?(?:if\s+not\s+exists\s+)?[\w"]*\s+on)\s+(?:if\s+(?:not\s+)?exists\s+)?(?:only\s+)?"?([a-z_]\w*)"?\s*\.\s*"?[a-z_]/gi
const schemaStatement = /\b(?:schema\s+(?:if\s+(?:not\s+)?exists\s+)?|search_path\s*(?:=|to)\s*)"?([a-z_]\w*)"?/gi
const catalogues = new Set(['pg_catalog', 'information_schema'])

/**
 * The schemas that belong to a module: its name, as an identifier; and where its roles have databases of their own, with
 * migrations in a folder each, its name with theirs.
 */
export function schemasOf(module: Workspace): string[] {
  const name = module.short.replaceAll('-', '_')
  const folders = module.sql.flatMap(({ path }) => {
    const inside = path.slice(module.path.length + 1)
    return /^migrations\/([a-z]+)\/[^/]+$/.exec(inside)?.slice(1) ?? []
  })
  return [name, ...new Set(folders.map((role) => `${name}_${role}`))]
}

function foreignSchemas(
  sql: string,
  own: ReadonlySet<string>,
  others: ReadonlySet<string>,
): { at: number; schema: string }[] {
  if (!statement.test(sql)) return []
  const names = new RegExp(`\\b(${[...others].join('|')})"?\\s*\\.\\s*"?[a-z_]`, 'gi')
  const found = [qualified, schemaStatement, names].flatMap((pattern) =>
    [...sql.matchAll(pattern)].map((match) => ({ at: match.index + match[0].length - 1, schema: match[1] ?? '' })),
  )
  const foreign = found.filter(({ schema }) => !own.has(schema) && !catalogues.has(schema.toLowerCase()))
  // One place may match two patterns.
  return [...new Map(foreign.map((place) => [`${place.at}`, place])).values()]
}

function inModule(tree: Tree, module: Workspace): Violation[] {
  const own = new Set(schemasOf(module))
  const all = tree.workspaces.filter(({ kind }) => kind === 'modules').flatMap(schemasOf)
  const others = new Set(['headrace', ...all]).difference(own)
  const what = (schema: string) => `${module.path} names schema ${schema}; its own is ${[...own].join(', ')}`
  const inStrings = module.sources.flatMap((source) =>
    source.strings.flatMap(({ at, text }) =>
      foreignSchemas(text, own, others).map((found) => ({
        path: source.path,
        line: source.lineOf(at + found.at),
        what: what(found.schema),
      })),
    ),
  )
  const inFiles = module.sql.flatMap(({ path, text }) => {
    const sql = text.replaceAll(/--.*$/gm, (comment) => ' '.repeat(comment.length))
    return foreignSchemas(sql, own, others).map(({ at, schema }) => ({
      path,
      line: text.slice(0, at).split('\n').length,
      what: what(schema),
    }))
  })
  return [...inStrings, ...inFiles]
}

const sqlStaysInItsSchema: Rule = {
  name: 'sql-stays-in-its-schema',
  promise: 'a module’s SQL names only its own schema',
  check: (tree) => tree.workspaces.filter(({ kind }) => kind === 'modules').flatMap((module) => inModule(tree, module)),
}

/** The static half of the rule about schemas; the modules' tests run under a role that may use no other. */
export const sqlRules: readonly Rule[] = [sqlStaysInItsSchema]
