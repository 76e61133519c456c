import { registerHooks } from 'node:module'
import type { startLive } from '../../src/index.ts'

/** A change of the source: what a version without a promise's mechanism would look like. */
export interface Mutation {
  /** Name of a file of `src`. */
  readonly file: string
  readonly from: string
  readonly to: string
}

const mutants: (readonly Mutation[])[] = []
const root = new URL('../../src/', import.meta.url).href

// A mutant is the package loaded once more, as modules of their own: their addresses end in `?mutant=<number>`.
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context)
    const query = /\?mutant=\d+$/.exec(context.parentURL ?? '')?.[0]
    return query !== undefined && found.url.startsWith(root) ? { ...found, url: found.url + query } : found
  },
  load(url, context, next) {
    const [path = '', number] = url.split('?mutant=')
    const loaded = next(url, context)
    const here = mutants[Number(number)]?.filter(({ file }) => path === root + file) ?? []
    if (number === undefined || here.length === 0) return loaded
    return { ...loaded, source: here.reduce(mutated, String(loaded.source)) }
  },
})

function mutated(source: string, { file, from, to }: Mutation): string {
  if (!source.includes(from)) throw new Error(`${file} does not hold '${from}'`)
  return source.replace(from, to)
}

/** `startLive` of the package with something changed. */
export async function mutantOf(mutations: readonly Mutation[]): Promise<typeof startLive> {
  const number = mutants.push(mutations) - 1
  const address = `${root}index.ts?mutant=${number}`
  const loaded: { readonly startLive: typeof startLive } = await import(address)
  return loaded.startLive
}
