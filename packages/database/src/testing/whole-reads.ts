import type { Queryable, Statement } from '../types.ts'

/** A node of a plan, as far as it is looked at. */
interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Cond'?: string
  readonly Plans?: readonly PlanNode[]
}

/** The statements that are sent by `send`; none is run, and each finds nothing. */
export async function recorded(send: (recorder: Queryable) => Promise<unknown>): Promise<Statement[]> {
  const statements: Statement[] = []
  await send({
    query: async (statement) => {
      statements.push(statement)
      return { rows: [], rowCount: 0 }
    },
  })
  return statements
}

/** What statements would read from end to end, by the plans that are made now and may be kept while tables grow. */
export async function wholeReads(database: Queryable, statements: readonly Statement[]): Promise<string[]> {
  const found: string[] = []
  for (const { name, text } of statements) {
    const explain = { text: `explain (generic_plan, format json) ${text}` }
    const { rows } = await database.query<{ 'QUERY PLAN': readonly { readonly Plan: PlanNode }[] }>(explain)
    const tables = rows.flatMap((row) => row['QUERY PLAN'].flatMap(({ Plan }) => wholeReadsOf(Plan)))
    found.push(...tables.map((table) => `${name} reads ${table}`))
  }
  return found
}

function wholeReadsOf(node: PlanNode): string[] {
  const isWhole = /^(Seq|Index|Index Only) Scan$/.test(node['Node Type']) && node['Index Cond'] === undefined
  const table = isWhole ? node['Relation Name'] : undefined
  return [...(table === undefined ? [] : [table]), ...(node.Plans ?? []).flatMap(wholeReadsOf)]
}
