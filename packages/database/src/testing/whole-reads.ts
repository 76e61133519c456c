import type { Queryable, Statement } from '../types.ts'

/** A node of a plan, as far as it is looked at. */
interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Cond'?: string
  readonly Plans?: readonly PlanNode[]
}

/** The tables that a statement would read from end to end, by the plan that is made now and kept while they grow. */
export async function wholeReads(database: Queryable, { text }: Pick<Statement, 'text'>): Promise<string[]> {
  const explain = { text: `explain (generic_plan, format json) ${text}` }
  const { rows } = await database.query<{ 'QUERY PLAN': readonly { readonly Plan: PlanNode }[] }>(explain)
  return rows.flatMap((row) => row['QUERY PLAN'].flatMap(({ Plan }) => wholeReadsOf(Plan)))
}

function wholeReadsOf(node: PlanNode): string[] {
  const isWhole = /^(Seq|Index|Index Only) Scan$/.test(node['Node Type']) && node['Index Cond'] === undefined
  const table = isWhole ? node['Relation Name'] : undefined
  return [...(table === undefined ? [] : [table]), ...(node.Plans ?? []).flatMap(wholeReadsOf)]
}
